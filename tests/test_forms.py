"""The same text in another form: tried before a character is reported as unknown."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.config import TextConfig
from charrnn.text import Vocabulary, fitting_corpus, fitting_text, read_corpus
from charrnn.text.codes import to_codes

FRENCH = "l'été à la forêt, un élève rêve déjà\n"


def form(name, text=FRENCH):
    return unicodedata.normalize(name, text)


def knows(text, **options):
    return Vocabulary.from_codes(to_codes(text), **options)


@pytest.mark.parametrize(
    ("known", "newlines", "text", "used", "option"),
    [
        ("ab\n", "keep", "a\nb", "a\nb", ""),
        ("ab\n", "lf", "a\r\nb\r", "a\nb\n", ""),
        ("ab\n", "keep", "a\r\nb", "a\nb", "--newlines lf"),
        ("ab\r\n", "keep", "a\r\nb", "a\r\nb", ""),
        ("ab\r", "keep", "a\nb", "a\rb", "CR line ends"),
        (form("NFD"), "lf", "é", "e\u0301", "--normalize nfd"),
        (form("NFC"), "lf", "e\u0301", "é", "--normalize nfc"),
        (form("NFC"), "keep", "e\u0301\r\n", "é\n", "--normalize nfc --newlines lf"),
        (form("NFD"), "keep", "é\r\n", "e\u0301\n", "--normalize nfd --newlines lf"),
        ("ab", "lf", "aé", "aé", ""),
        ("ab", "lf", "a\r\nx", "a\nx", ""),
        ("ab", "lf", "a\ud800", "a\ud800", ""),
        ("ab", "lf", "", "", ""),
    ],
)
def test_the_form_of_a_seed_that_the_model_knows(known, newlines, text, used, option):
    assert fitting_text(text, knows(known), newlines) == (used, option)


def test_a_model_with_a_form_of_its_own_needs_no_other():
    jamo = Vocabulary.from_codes(to_codes(form("NFD")), normalize="nfd")
    assert fitting_text("é", jamo, "lf") == ("é", "")


class Reader:
    """Reads a file, and remembers how."""

    def __init__(self, path):
        self.path, self.configs = path, []

    def __call__(self, config):
        self.configs.append(config)
        return read_corpus([self.path], **config.to_json())


@pytest.fixture
def reader(tmp_path):
    def write(text):
        path = Path(tmp_path, "text.txt")
        path.write_bytes(text.encode())
        return Reader(path)

    return write


@pytest.mark.parametrize(
    ("known", "text", "changes", "notice"),
    [
        (form("NFD"), form("NFC"), {"normalize": "nfd"}, "--normalize nfd"),
        (form("NFC"), form("NFD"), {"normalize": "nfc"}, "--normalize nfc"),
        ("한글 각\n", form("NFD", "한글 각\n"), {"normalize": "nfc"}, "--normalize nfc"),
        ("ệ\n", "ê\u0323\n", {"normalize": "nfc"}, "--normalize nfc"),
        ("Å\n", "\u212b\n", {"normalize": "nfc"}, "--normalize nfc"),
        (form("NFD", "한글 각\n"), "한글 각\n", {"normalize": "nfd"}, "--normalize nfd"),
        ("ab\n", "a\r\nb\r\n", {"newlines": "lf"}, "--newlines lf"),
        (
            form("NFD"),
            form("NFC").replace("\n", "\r\n"),
            {"normalize": "nfd", "newlines": "lf"},
            "--normalize nfd --newlines lf",
        ),
    ],
)
def test_the_form_of_a_file_that_the_model_knows(reader, known, text, changes, notice):
    read = reader(text)
    before = TextConfig(newlines="keep")
    corpus, config = fitting_corpus(read, before, (), knows(known))
    assert knows(known).unknown(corpus.codes) == {}
    assert corpus.notices[-1] == f"read with {notice}, the form that the model knows"
    assert {name: getattr(config, name) for name in changes} == changes
    assert config == read.configs[-1]


def test_a_text_that_is_known_is_read_once(reader):
    read = reader("ab\n")
    corpus, config = fitting_corpus(read, TextConfig(), (), knows("ab\n"))
    assert (read.configs, config, corpus.notices) == ([TextConfig()], TextConfig(), ())


def test_what_the_user_asked_for_is_not_changed(reader):
    read = reader(form("NFC"))
    corpus, config = fitting_corpus(read, TextConfig(), ("normalize",), knows(form("NFD")))
    assert (len(read.configs), config) == (1, TextConfig())
    read = reader("a\r\n")
    config = TextConfig(newlines="keep")
    assert fitting_corpus(read, config, ("newlines",), knows("a\n"))[1] == config
    assert corpus.text() == form("NFC")


@pytest.mark.parametrize(
    ("known", "text", "read_as"),
    [
        ("NFD", "é ж\n", "e\u0301 ж\n"),
        ("NFC", "e\u0301 😀\n", "é 😀\n"),
        ("NFD", "é\u0489\r\n", "e\u0301\u0489\n"),
        ("NFC", "é 😀\r\n", "é 😀\n"),
    ],
)
def test_a_form_that_helps_in_part_is_taken(reader, known, text, read_as):
    read, vocabulary = reader(text), knows(form(known))
    corpus, config = fitting_corpus(read, TextConfig(newlines="keep"), (), vocabulary)
    assert corpus.text() == read_as
    assert len(vocabulary.unknown(corpus.codes)) == 1
    assert corpus.notices[-1].endswith("the form that the model knows")
    assert config in read.configs
    form_of_text, option = fitting_text(text, vocabulary, "keep")
    assert (form_of_text, option != "") == (read_as, True)


@pytest.mark.parametrize("text", ["😀", "❤\ufe0f", "👍\U0001f3fd", "…", "\ufb01", "ж"])
@pytest.mark.parametrize("name", ["NFC", "NFD"])
def test_nothing_is_read_again_for_what_no_form_makes_known(reader, name, text):
    read = reader(text)
    corpus, config = fitting_corpus(read, TextConfig(newlines="keep"), (), knows(form(name)))
    assert len(read.configs) == 1
    assert config.normalize == "none"
    assert corpus.text() == text


def test_a_line_end_that_the_model_does_not_know_either(reader):
    read = reader("a\r\n")
    fitting_corpus(read, TextConfig(newlines="keep"), (), knows("a"))
    assert len(read.configs) == 1


LETTERS = "eêé\u0301\u0302\u0323ệẹ\u212bÅåA\u030a한ᄒ\u1161\u11ab하かが\u3099\u0344\u0308ö…ﬁ😀\r\n"


@settings(max_examples=300, deadline=None)
@given(known=st.text(LETTERS, min_size=1), text=st.text(LETTERS, min_size=1, max_size=6))
def test_no_form_that_helps_is_passed_over(tmp_path_factory, known, text):
    path = tmp_path_factory.mktemp("forms") / "text.txt"
    path.write_bytes(text.encode())
    vocabulary = knows(known)
    corpus, _ = fitting_corpus(Reader(path), TextConfig(newlines="keep"), (), vocabulary)
    crs = "\r" in text and "\r" not in known
    ends = text.replace("\r\n", "\n").replace("\r", "\n") if crs else text
    forms = [text, ends, *(form(name, ends) for name in ("NFC", "NFD"))]
    helps = any(not vocabulary.unknown(to_codes(each)) for each in forms)
    assert helps == (not vocabulary.unknown(corpus.codes))


def test_bytes_have_no_forms(reader):
    read = reader("é\r\n")
    only = Vocabulary([97], unit="byte")
    config = TextConfig(unit="byte")
    assert fitting_corpus(read, config, (), only)[1] == config
    assert len(read.configs) == 1
