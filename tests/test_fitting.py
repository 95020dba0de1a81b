"""Every option with files of every layout: what does not fit names the option that does."""

import pytest
from labelled_texts import names, sentences, tagged

from charrnn.config import TextConfig, TrainConfig
from charrnn.data.labels.fitting import check_layout
from charrnn.data.labels.recognizing import are_named_files, form_of
from charrnn.data.tasks import task_for
from charrnn.errors import CharrnnError, ConfigError
from charrnn.text import Corpus, read_corpus

ROWS = [line.split("\t") for line in names(120).splitlines()]
LABEL, TAGS, PROMPTED = "--predict label", "--predict tags", "--prompted"
RESTORING = ("spaces", "case", "marks", "accents")
PLAIN = "for plain text, use --predict spaces"


def universal():
    """Tagged sentences as CoNLL-U."""
    sentences = [text.splitlines() for text in tagged(20).split("\n\n")]
    blank = "\t".join("_" * 6)
    return "\n".join(
        "".join(
            f"{number}\t{row.split(chr(9))[0]}\t_\t{row.split(chr(9))[1]}\t{blank}\n"
            for number, row in enumerate(rows, 1)
        )
        for rows in sentences
    )


FILES = {
    "tsv": {"a.tsv": names(120)},
    "conll": {"a.conll": tagged(20)},
    "csv": {"a.csv": "label,text\n" + "".join(f"{a},{b}\n" for a, b in ROWS)},
    "conllu": {"a.conllu": universal()},
    "fasttext": {"a.txt": "".join(f"__label__{a} {b}\n" for a, b in ROWS)},
    "plain": {"a.txt": sentences(30)},
    "named": {
        f"{label}.txt": "".join(f"{b}\n" for a, b in ROWS if a == label)
        for label in ("open", "closed")
    },
    "folders": {f"{a}/{number}.txt": f"{b}\n" for number, (a, b) in enumerate(ROWS[:40])},
}
FITTING = {
    "tsv": f"{LABEL} predicts what precedes the tab, {PROMPTED} what follows it",
    "conll": f"{TAGS} predicts the tags",
    "csv": f"{LABEL} predicts one column",
    "conllu": f"{TAGS} predicts its tags",
    "fasttext": f"{LABEL} predicts them",
    "named": f"{LABEL} predicts the names of the files",
    "folders": f"{LABEL} predicts the names of the files",
}
FITS, NOTICE, ERROR = "fits", "notice", "error"
TABLE = {
    # option: tsv, conll, csv, conllu, fasttext, plain, named, folders
    LABEL: (FITS, ERROR, FITS, ERROR, FITS, ERROR, FITS, ERROR),
    TAGS: (ERROR, FITS, ERROR, FITS, ERROR, ERROR, ERROR, ERROR),
    "--predict spaces": (NOTICE, NOTICE, ERROR, ERROR, ERROR, FITS, ERROR, ERROR),
    "--predict case": (ERROR, NOTICE, ERROR, ERROR, ERROR, FITS, ERROR, ERROR),
    "--predict marks": (ERROR, ERROR, ERROR, ERROR, ERROR, FITS, ERROR, ERROR),
    "--predict accents": (ERROR, ERROR, ERROR, ERROR, ERROR, ERROR, ERROR, ERROR),
    PROMPTED: (FITS, NOTICE, ERROR, ERROR, ERROR, ERROR, ERROR, ERROR),
    "": (NOTICE, NOTICE, NOTICE, NOTICE, NOTICE, FITS, FITS, FITS),
}
SAID = {
    (LABEL, "plain"): PLAIN,
    (TAGS, "plain"): PLAIN,
    (PROMPTED, "plain"): "leave out --prompted",
    ("--predict accents", "plain"): "name another text",
    (LABEL, "folders"): "use --items file, which takes the name of the folder",
}
"""Where what fits is not said in the words of ``FITTING``."""


def settings(option, **more):
    if option.startswith("--predict"):
        more["predict"] = option.split()[1]
    return TrainConfig(prompted=option == PROMPTED, **more)


def corpus_of(files, folder):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return read_corpus([folder], **TextConfig().to_json())


def told(option, files, folder, **more):
    """Return the notices, and the error, of all checks before training."""
    corpus = corpus_of(files, folder)
    try:
        task = task_for(settings(option, **more), corpus)
        divided = task.text(corpus)
        if hasattr(task, "checked"):
            task.checked(divided.codes)
    except CharrnnError as error:
        return (), str(error)
    return divided.notices, ""


@pytest.mark.parametrize("option", TABLE)
@pytest.mark.parametrize("layout", FILES)
def test_what_does_not_fit_names_the_option_that_does(option, layout, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    notices, error = told(option, FILES[layout], tmp_path)
    wanted = TABLE[option][list(FILES).index(layout)]
    said = SAID.get((option, layout)) or FITTING.get(layout, PLAIN)
    assert bool(error) == (wanted == ERROR)
    if wanted == FITS:
        assert not any("--predict" in notice for notice in notices)
    else:
        (message,) = [error] if error else [note for note in notices if "--predict" in note]
        assert said in message
        assert "\n" not in message


def test_files_that_are_a_text_each_and_files_of_texts_are_told_apart(tmp_path):
    assert told(LABEL, FILES["folders"], tmp_path / "a", items="file")[1] == ""
    _, error = told(LABEL, {f"x/{a}.txt": "one\ntwo\n" for a in "bc"}, tmp_path / "d", items="file")
    assert "all 2 files are in" in error
    assert "leave it out" in error
    films = {
        f"{a}/cv{n:03}_1.txt": "a film\nof two lines\n" for a in ("pos", "neg") for n in range(20)
    }
    assert "--items file" in told(LABEL, films, tmp_path / "b")[1]
    ratings = {f"{a}/{n}.txt": "one\ntwo\n" for a in ("train", "more") for n in range(1, 11)}
    assert told(LABEL, ratings, tmp_path / "e")[1] == ""
    authors = {f"{a}th/{n * 'x'}y.txt": "one\ntwo\n" for a in (18, 19) for n in range(20)}
    assert told(LABEL, authors, tmp_path / "c")[1] == ""


def test_prompts_of_blocks_may_be_in_several_plain_files(tmp_path):
    files = {f"{name}.txt": "ask\nanswer\n\nask more\nanswer more\n" for name in "ab"}
    assert told(PROMPTED, files, tmp_path, items="blank-line")[1] == ""


def test_columns_of_conllu_under_another_name_ask_for_its_name(tmp_path):
    with pytest.raises(ConfigError, match=r"rename it so that it ends in \.conllu"):
        check_layout(settings(TAGS), corpus_of({"a.txt": universal()}, tmp_path))


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (tagged(20, characters=True), "conll"),
        (tagged(20).replace("\t", " "), "conll"),
        ("A\tH\nC\tE\nG\tC\nT\tH\n\n" * 20, "plain"),  # few tokens and few tags: nobody knows
        ("a b\nc d\ne f\ng h\n\n" * 5, "plain"),  # verse
        (names(120).replace("\n", "\n\n"), "pairs"),
        ("".join(f"question {n}\tanswer {n}\n" for n in range(20)), "pairs"),
        (names(9), "plain"),
        ("\tif indented:\n    \treturn by tabs\n" * 20, "plain"),
        ("", "plain"),
        ("\n\n \n", "plain"),
    ],
)
def test_what_a_file_holds_is_told_by_many_lines(content, form):
    assert form_of([("a.txt", content)]) == form


def test_only_the_beginning_of_a_text_is_looked_at(monkeypatch):
    monkeypatch.setattr("charrnn.data.labels.fitting.HEAD", len(names(120)) + 3)
    corpus = Corpus.from_text(names(120) + "no tab in this line\n" * 500)
    notices, fitting = check_layout(settings(""), corpus)
    assert notices[0].startswith("text in memory has a tab in most lines, and all of it is read")
    assert fitting == FITTING["tsv"]


def test_one_file_has_no_name_that_is_a_label():
    assert not are_named_files([("a.txt", "x\n")])
    assert are_named_files([("a.txt", "x\n"), ("b.txt.gz", "y\n")])
    assert not are_named_files([("a.txt", "x\n"), ("b.dat", "y\n")])
