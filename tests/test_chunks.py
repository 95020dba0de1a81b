"""A text is read the same wherever the borders of its chunks fall."""

import re
import unicodedata

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from charrnn.errors import CorpusError
from charrnn.text import files, guessing, read_corpus
from charrnn.text.guessing import wide_pattern
from tests.texts import text_of

ALPHABET = "ab \n\r\r\0é한\u1112\u1161\u11abがか\u3099e\u0301\u0323😀的ｶﾞﾡﾂＡﬁ\u0344\ufeff"

ENCODINGS = ("utf-8", "utf-16-le", "utf-16", "utf-32-be", "gb18030", "cp949", "shift_jis", "utf-7")


@settings(max_examples=250, deadline=None)
@given(
    text=st.text(ALPHABET, min_size=1, max_size=60),
    encoding=st.sampled_from(ENCODINGS),
    newlines=st.sampled_from(["keep", "lf"]),
    normalize=st.sampled_from(["none", "nfc", "nfd", "nfkc"]),
    chunk=st.integers(1, 9),
)
def test_chunk_borders_change_nothing(tmp_path_factory, text, encoding, newlines, normalize, chunk):
    data = text.encode(encoding, "ignore")
    assume(encoding != "utf-8" or not wide_pattern(data))  # refused: it is another encoding
    expected = data.decode("utf-16-le" if encoding == "utf-16" else encoding).removeprefix("\ufeff")
    if newlines == "lf":
        expected = expected.replace("\r\n", "\n").replace("\r", "\n")
    if normalize != "none":
        expected = unicodedata.normalize(normalize.upper(), expected)
    path = tmp_path_factory.mktemp("chunks") / "a.txt"
    path.write_bytes(data)
    options = {"encoding": encoding, "newlines": newlines, "normalize": normalize}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "CHUNK", chunk)
        if not expected:
            with pytest.raises(CorpusError, match="is empty"):
                read_corpus([path], **options)
        else:
            result = read_corpus([path], **options)
            assert text_of(result) == expected
            assert result.num_bytes == len(expected.encode())


BEGINNINGS = (
    *(beginning for beginning, *_ in guessing._SIGNATURES),
    *(b"\x1f\x8b", b"BZh", b"BZh9", b"\xfd7zXZ\0"),
)
"""Of files that are not text, or are compressed."""


@settings(max_examples=300, deadline=None)
@given(
    data=st.binary(min_size=1, max_size=40) | st.sampled_from(BEGINNINGS),
    chunk=st.integers(1, 9),
    unit=st.booleans(),
)
def test_any_bytes_are_read_or_refused_at_the_right_byte(tmp_path_factory, data, chunk, unit):
    path = tmp_path_factory.mktemp("noise") / "a.txt"
    path.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "CHUNK", chunk)
        result, message = attempt(path, "byte" if unit else "char")
    try:
        text, wrong = data.decode().removeprefix("\ufeff"), None
    except UnicodeDecodeError as error:
        text, wrong = None, error.start
    if result is not None and unit:
        assert result.codes.tobytes() == data
    elif result is not None:
        (source,) = result.sources
        assert text is None or source.encoding == "utf-8" or wide_pattern(data)
        assert text_of(result) == data.decode(source.encoding).removeprefix("\ufeff").replace(
            "\r\n", "\n"
        ).replace("\r", "\n")
    elif " UTF-8" in message or "surrogate" in message:
        assert f"byte {wrong} (line " in message
    elif result is None:
        other = "holds a|full of NUL|is empty|archive|, not text|gzip|bzip2|xz|not UTF|-(LE|BE)"
        assert re.search(other, message)


def attempt(path, unit):
    try:
        return read_corpus([path], unit=unit), ""
    except CorpusError as error:
        return None, str(error)
