"""Reading sentences with tags; what does not fit is named by file and line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.data.labels.layouts import Tagged, from_sentences, read_tagged, to_sentences
from charrnn.errors import CharrnnError, ConfigError, CorpusError

END = "\x1e"
TOKENS = st.text(st.characters(exclude_characters="\n" + END, exclude_categories=["Cs"]))
PAIRS = st.lists(st.tuples(TOKENS, TOKENS.map(lambda token: token.replace("\t", ""))))
CONLLU = """\
# sent_id = 1
# text = vámonos al mar
1-2\tvámonos\t_\t_\t_\t_\t_\t_\t_\t_
1\tvamos\tir\tVERB\tV\t_\t0\troot\t_\t_
2\tnos\tnosotros\tPRON\tP\t_\t1\tobj\t_\t_
2.1\teh\t_\t_\t_\t_\t_\t_\t_\t_
3\tNew York\tNew York\tPROPN\tN\t_\t1\tobl\t_\t_

# sent_id = 2
1\t#\t#\tSYM\tS\t_\t0\troot\t_\t_
"""


def tagged(content, name="ner.conll", **options):
    """Return the sentences of one file, each as a list of pairs."""
    items, _, _ = read_tagged([(name, content)], **options)
    return [list(zip(*item, strict=True)) for item in items]


def refusal(content, name="ner.conll", error=CorpusError, **options):
    with pytest.raises(error) as caught:
        read_tagged([(name, content)], **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@given(st.lists(PAIRS))
def test_sentences_are_kept_exactly(sentences):
    items = [Tagged(tuple(t for t, _ in pairs), tuple(t for _, t in pairs)) for pairs in sentences]
    text = to_sentences(items, END)
    assert from_sentences(text, END) == items
    assert text.count(END) == len(items)


def test_no_line_end_stands_before_the_end_of_a_sentence():
    assert to_sentences([Tagged(("a", "b"), ("X", "Y"))], END) == "a\tX\nb\tY" + END


def test_the_first_column_is_the_token_and_the_last_the_tag():
    content = "-DOCSTART-\t-X-\tO\n\nEU\tNNP\tB-ORG\nin\tIN\tO \n \n\n\nBonn\tNNP\tB-LOC"
    wanted = [[("EU", "B-ORG"), ("in", "O")], [("Bonn", "B-LOC")]]
    assert tagged(content) == wanted
    assert tagged(content.replace("\t", "  ")) == wanted
    assert read_tagged([("a.conll", content)])[2] == "conll"


def test_a_token_may_be_a_space_where_tabs_divide():
    assert tagged("가\tO\n \tO\n치\tO\n") == [[("가", "O"), (" ", "O"), ("치", "O")]]


def test_spaces_of_other_kinds_do_not_divide():
    assert tagged("a\u00a0b X\n\u3000 Y\n") == [[("a\u00a0b", "X"), ("\u3000", "Y")]]


def test_universal_dependencies_give_form_and_upos_or_what_is_asked_for():
    wanted = [[("vamos", "VERB"), ("nos", "PRON"), ("New York", "PROPN")], [("#", "SYM")]]
    for name in ("a.conllu", "b.CONLLU.gz"):
        assert tagged(CONLLU, name) == wanted
    assert read_tagged([("a.conllu", CONLLU)])[2] == "conllu"
    wanted = [[("ir", "V"), ("nosotros", "P"), ("New York", "N")], [("#", "S")]]
    assert tagged(CONLLU, "a.conllu", columns="Lemma, XPOS") == wanted


def test_sentences_do_not_run_from_file_to_file():
    items, notices, _ = read_tagged([("a.conll", "a\tX"), ("b.conll", "b Y")])
    assert items == [(("a",), ("X",)), (("b",), ("Y",))]
    assert notices == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tX\n" * 8 + "b\n\nc\n", "line 9: 1 column, but line 1 has 2 (2 such lines)"),
        ("\na b X\na X\n", "line 3: 2 columns, but line 2 has 3"),
        ("word\nword\n", "line 1: one column: each line must be a token, a tab and a tag"),
        ("a\tX\nb\t \n\tY\n", "line 2: no token or no tag (2 such lines)"),
    ],
)
def test_lines_that_do_not_fit_are_named_and_counted(content, message):
    assert f"ner.conll, {message}" in refusal(content)


def test_universal_dependencies_have_ten_columns():
    message = refusal(CONLLU + "a\tX\nb\tY\n", "a.conllu")
    assert "a.conllu, line 11: 2 columns, but CoNLL-U has 10 (2 such lines)" in message
    assert "line 1: no token or no tag" in refusal("1" + "\t" * 9, "a.conllu")


def test_options_and_files_that_do_not_fit_are_refused():
    assert "a.conll is not one" in refusal("a\tX", "a.conll", ConfigError, columns="form,xpos")
    for columns in ("form", "form,pos", "a,b,c"):
        message = refusal(CONLLU, "a.conllu", ConfigError, columns=columns)
        assert "name the token and tag columns of CoNLL-U" in message
    with pytest.raises(ConfigError, match=r"a\.conllu is a \.conllu file and b\.conll is not"):
        read_tagged([("b.conll", "a\tX"), ("a.conllu", CONLLU)])
    assert "ner.conll: there is no sentence" in refusal("\n\n-DOCSTART- -X- O O\n")


@given(
    st.sampled_from(["a.conll", "a.conllu"]),
    st.text(st.sampled_from("a1.-#X \t\n\r\u2028\0"), max_size=60),
    st.sampled_from(["", "1\ta\ta\tX\tX\t_\t0\troot\t_\t_\n", "a\tX\n", "a X\n"]),
)
def test_whatever_is_in_a_file_it_is_read_or_refused_in_one_line(name, content, start):
    try:
        items, messages, _ = read_tagged([(name, start + content)])
    except CharrnnError as error:
        items, messages = [], [str(error)]
    assert not any("\n" in message for message in messages)
    assert from_sentences(to_sentences(items, END), END) == items
    assert all(item.tokens and all(item.tokens) and all(item.tags) for item in items)
