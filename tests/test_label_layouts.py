"""Reading texts with a label, in every layout; what does not fit is named by file and line."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.data.labels.layouts import Labelled, from_lines, read_labelled, to_lines
from charrnn.errors import CharrnnError, ConfigError, CorpusError

TEXTS = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]))
LABELS = st.text(st.characters(exclude_characters="\n\t", exclude_categories=["Cs"]))


def labelled(content, name="names.tsv", **options):
    """Return the items of one file as pairs, and the notices."""
    items, notices, _ = read_labelled([(name, content)], **options)
    return list(map(tuple, items)), notices


def refusal(content, name="names.tsv", error=CorpusError, **options):
    with pytest.raises(error) as caught:
        read_labelled([(name, content)], **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


@given(st.lists(st.builds(Labelled, LABELS, TEXTS)))
def test_lines_are_kept_exactly(items):
    text = to_lines(items)
    assert from_lines(text) == items
    assert text.count("\n") == len(items)


def test_the_first_tab_divides_a_label_and_a_text():
    items, notices = labelled("New York\tbig\tcity\n\n  \n ham \t ok \nspam\t\nlast\tno line end")
    assert items == [
        ("New York", "big\tcity"),
        ("ham", " ok "),
        ("spam", ""),
        ("last", "no line end"),
    ]
    assert notices == []
    assert read_labelled([("a.tsv", "x\ty\n"), ("b.txt", "z\tw\n")])[0] == [("x", "y"), ("z", "w")]


def test_only_a_line_feed_ends_a_line():
    assert labelled("a\tone\x0btwo\x85three\u2028four\n")[0] == [
        ("a", "one\x0btwo\x85three\u2028four")
    ]


def test_lines_without_a_tab_are_named_and_counted():
    lines = ["a\tb"] * 20
    lines[16] = lines[18] = lines[19] = "no tab here"
    assert refusal("\n".join(lines)) == (
        "names.tsv, line 17: no tab (3 such lines): each line must be a label, a tab and a text"
    )
    lines[18] = lines[19] = ""
    assert "names.tsv, line 17: no tab: each" in refusal("\n".join(lines))
    assert "--predict spaces" in refusal("a plain text\nof two lines\n", "novel.txt")
    assert "line 2: no label before the tab (2 such lines)" in refusal("a\tb\n\tc\n \td\n")
    assert "novel.txt: there is no text with a label" in refusal("\n \n", "novel.txt")


def test_fasttext_lines_are_recognised_and_further_labels_counted():
    content = (
        "__label__spam  buy now\n\n__label__ham\tsee you\n"
        "__label__a __label__b\t__label__c both\n__label__x\n__label__y __label__z"
    )
    items, notices = labelled(content, "train.txt")
    assert items == [
        ("spam", "buy now"),
        ("ham", "see you"),
        ("a", "both"),
        ("x", ""),
        ("y", ""),
    ]
    assert "train.txt: read in fastText's layout" in notices[0]
    assert "train.txt, line 4: several labels (2 such lines): only the first is used" in notices[1]
    assert read_labelled([("train.txt", content)])[2] == "fasttext"
    assert labelled("__label__a\tb\nplain\tc\n")[0] == [("__label__a", "b"), ("plain", "c")]
    assert "line 2: no label after __label__" in refusal("__label__a b\n__label__ c\n")


def test_a_long_run_of_prefixes_is_read_in_no_time():
    assert labelled("__label__" * 20_000 + " x")[0] == [("__label__" * 19_999, "x")]


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_characters="\r\n\t \0"), min_size=1),
            st.text(st.characters(codec="utf-8", exclude_characters="\r\0")),
        ),
        min_size=1,
    )
)
def test_csv_is_read_as_it_is_written(rows):
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([("text", "id", "label"), *_with_ids(rows)])
    items, notices = labelled(file.getvalue(), "spam.csv")
    assert items == [(label, text.replace("\n", " ")) for label, text in rows]
    lines = sum("\n" in text for _, text in rows)
    assert [notice.split()[1] for notice in notices] == [str(lines)] * bool(lines)


def _with_ids(rows):
    return [(text, number, label) for number, (label, text) in enumerate(rows)]


def test_columns_of_csv_are_named_or_asked_for():
    content = 'v1,v2,\nham,"Go, now",\nspam,"Free\nentry","",\n\nham,"say ""hi""",\n'
    read = labelled(content, "spam.csv", columns="v1,v2")
    assert read[0] == [("ham", "Go, now"), ("spam", "Free entry"), ("ham", 'say "hi"')]
    assert read[1] == ["spam.csv: 1 text with newlines, which were replaced by spaces"]
    assert refusal(content, "spam.csv", ConfigError) == (
        "spam.csv has the columns v1, v2: name the label and the text column, as in --columns v1,v2"
    )
    assert "name two of v1, v2" in refusal(content, "a.csv", ConfigError, columns="v1,x")
    assert refusal("text\na\n", "a.csv", ConfigError).startswith("a.csv has only the column text: ")
    for columns in ("v1", "v1,v1", "v1,v2,v3", "", "v1,", "v1\rv2,x"):
        message = refusal(content, "a.csv", ConfigError, columns=columns)
        assert "name the label column and the text column" in message
    swapped = 'id,the text,"pos, neg"\n1,some long text,a\n2,another text,b\n3,a third,a\n'
    message = refusal(swapped, "a.csv", ConfigError)
    assert message.endswith("""--columns '"pos, neg",the text'""")
    assert len(labelled(swapped, "a.csv", columns='"pos, neg",the text')[0]) == 3
    assert labelled("Text ; LABEL\nx,y;a\n", "a.CSV.gz")[0] == [("a", "x,y")]


def test_a_label_of_csv_is_one_line_without_a_tab():
    items, notices = labelled('label,text\n"a\tb\nc",x\n', "a.csv")
    assert items == [("a b c", "x")]
    assert notices == ["a.csv: 1 label with tabs or newlines, which were replaced by spaces"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('label,text\na,"x\ny"\n\na\nb\n', "line 5: fewer columns than the 2 columns"),
        ("label,text\na,x\na,b,c\n", "line 3: more columns than the 2 columns"),
        ("label,text\na,x\n ,y\n", "line 3: no label"),
        ('label,text\na,x\nb,"never closed\nc,d\n', "line 3: a quoted cell is never closed"),
        ("label,text\na,x\rb,y\n", "line 2: not valid CSV"),
        ("label,text\n", "there is no text with a label"),
        ("\n\n", "there is no text with a label"),
    ],
)
def test_rows_that_do_not_fit_are_named(content, message):
    assert f"spam.csv{',' if 'line' in message else ':'} {message}" in refusal(content, "spam.csv")


def test_a_cell_may_be_long():
    before = csv.field_size_limit()
    assert labelled(f"label,text\na,{'x' * 300_000}\n", "a.csv")[0] == [("a", "x" * 300_000)]
    assert csv.field_size_limit() == before


def test_files_named_as_labels_are_read_line_by_line():
    files = [("names/Arabic.txt", "Khoury\n\nNahas\n"), ("names/Old Norse.txt.gz", "Ari\n")]
    items, notices, layout = read_labelled(files)
    assert items == [("Arabic", "Khoury"), ("Arabic", "Nahas"), ("Old Norse", "Ari")]
    assert layout == "folder"
    assert notices == ["2 files: each line is labelled with the name of its file"]
    with pytest.raises(CorpusError, match=r"a\.dat, line 1: no tab"):
        read_labelled([("a.dat", "x\n"), ("b.txt", "y\n")])


def test_whole_files_are_labelled_by_their_folder():
    files = [("train/pos/1.txt", "good\nfilm\n\n"), ("train/neg/2.txt", "bad\tfilm")]
    items, notices, layout = read_labelled(files, whole_files=True)
    assert items == [("pos", "good film"), ("neg", "bad\tfilm")]
    assert layout == "folder"
    assert notices == [
        "2 files: each is labelled with the name of its folder",
        "1 text with newlines, which were replaced by spaces",
    ]
    assert len(read_labelled([("pos/1.txt", "x\n")], whole_files=True)[1]) == 1
    for name in ("1.txt", "../1.txt"):
        message = refusal("x", name, ConfigError, whole_files=True)
        assert f"{name} is in no folder" in message


def test_options_and_files_that_do_not_fit_are_refused():
    assert "names.tsv is not one" in refusal("a\tb\n", error=ConfigError, columns="a,b")
    assert "--items file" in refusal("label,text\n", "a.csv", ConfigError, whole_files=True)
    with pytest.raises(ConfigError, match=r"a\.csv is CSV and b\.tsv is not"):
        read_labelled([("b.tsv", "a\tb\n"), ("a.csv", "label,text\na,b\n")])


@given(
    st.sampled_from(["a.csv", "a.tsv", "a.txt"]),
    st.text(st.sampled_from('ab,"\t\n\r;_\0\u2028 '), max_size=60),
    st.sampled_from([None, "a,b", "", '"', "a,\n"]),
    st.sampled_from(["", "label,text\n", "a,b\n", "__label__a "]),
)
def test_whatever_is_in_a_file_it_is_read_or_refused_in_one_line(name, content, columns, start):
    try:
        items, notices, _ = read_labelled([(name, start + content)], columns=columns)
    except CharrnnError as error:
        items, notices = [], [str(error)]
    assert from_lines(to_lines(items)) == items
    assert all("\n" not in notice for notice in notices)
    assert all(item.label.strip(" ") for item in items)
