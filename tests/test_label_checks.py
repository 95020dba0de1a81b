"""What labelled text is checked for: each finding with its count, nothing dropped in silence."""

from pathlib import Path

import pytest

import charrnn
from charrnn.data.labels.checks import check_labelled, check_tagged, drop_empty
from charrnn.data.labels.layouts import Labelled, Tagged
from charrnn.errors import ConfigError, CorpusError


def labelled(*pairs):
    return [Labelled(*pair) for pair in pairs]


def many(label, number):
    """Return texts of one label, all different."""
    return [Labelled(label, f"{label} text {index}") for index in range(number)]


def tagged(*sentences):
    """Return sentences, each given as ``token/TAG token/TAG``."""
    pairs = [[word.split("/") for word in sentence.split()] for sentence in sentences]
    return [Tagged(tuple(p[0] for p in ps), tuple(p[1] for p in ps)) for ps in pairs]


def refusal(items, check=check_labelled):
    with pytest.raises(ConfigError) as caught:
        check(items)
    message = str(caught.value)
    assert message.isprintable()
    return message


def test_sound_items_have_no_notice():
    assert check_labelled(many("ham", 30) + many("spam", 30)) == []
    assert check_tagged(tagged("a/X b/Y", "b/Y a/X c/Y")) == []


def test_every_finding_is_counted():
    items = many("ham", 10) + many("spam", 10) + many("eggs", 1) + many("oil", 1) * 2
    items += labelled(("ham", ""), ("spam", " \t"), ("ham", "x"), ("ham", "x"), ("spam", "x"))
    items += labelled(("eggs", "y"), ("spam", "y"), ("oil", "y"), ("spam", "y"))
    assert drop_empty(items) == [item for item in items if item.text.strip()]
    assert check_labelled(items) == [
        "2 empty texts left out",
        "3 items repeat another: copies are on the same side of the split",
        # of 30 items, "x" misses 1 of 3 and "y" 2 of 4
        "2 texts have several labels: no model can be more than 90.0 % accurate",
    ]


def test_labels_of_one_text_are_not_tested():
    items = many("ham", 9) + many("spam", 9) + many("eggs", 1) * 3
    notices = check_labelled(items)
    assert notices[0] == "1 label has only one distinct text: it is trained on, not held out"
    notices = check_labelled(items + many("oil", 1))
    assert notices[0] == "2 labels have only one distinct text: they are trained on, not held out"


def test_files_that_are_held_out_are_no_split():
    items = many("ham", 9) + many("spam", 9) * 2 + [Labelled("eggs", "ham text 1")]
    assert check_labelled(items, divided=False) == [
        "1 label has only one distinct text",
        "9 items repeat another",
        "1 text has several labels",
    ]
    sentences = tagged("a/X b/Y", "a/X b/Y", "c/Y d/X")
    assert "1 sentence repeats another" in check_tagged(sentences, divided=False)


def test_the_bound_of_texts_with_several_labels_is_never_too_low():
    items = many("a", 1000) + many("b", 996) + labelled(("a", "x"), ("b", "x"), ("b", "x"))
    assert check_labelled(items)[-1] == "1 text has several labels"  # 1,998 of 1,999 are possible
    items = items[500:1500] + items[-3:] * 4
    best = 1 - 4 / len(items)
    assert 99.6 <= 100 * best < 99.7
    assert check_labelled(items)[-1].endswith("no model can be more than 99.7 % accurate")


def test_a_dominating_label_is_named_with_its_share():
    assert check_labelled(many("ham", 95) + many("spam", 5)) == []
    assert check_labelled(many("ham", 972) + many("spam", 28)) == [
        "97.2 % of the texts have the label ham: the F1 of each label is more informative than "
        "accuracy"
    ]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "no text with a label"),
        (labelled(("a", " "), ("b", "")), "no text with a label"),
        (many("ham", 12), "every text has the label ham, so there is nothing to learn"),
        (
            [Labelled(str(n // 3), f"text {n}") for n in range(3_003)],
            "1,001 labels, and at most 1,000 are allowed",
        ),
        (
            [Labelled(f"{n}", f"text {n}") for n in range(20)],
            "every one of 20 items has a different label",
        ),
        (
            [Labelled(f"a long text {n}", "ham") for n in range(20)],
            "20 items have 20 labels, of 14 characters on average, and texts of 3: are the columns",
        ),
        (labelled(("a", "x"), ("b\x1b[2J", "y")), "the label b\\x1b[2J has a control character"),
        (labelled(("a", "x"), ("b\u202ec", "y")), "the label b\\u202ec has a control character"),
        (labelled(("a", "x"), ("b\u2028", "y")), "the label b\\u2028 has a control character"),
        (
            labelled(("a", "x"), ("b" * 1_000_000, "y")),
            "has 1,000,000 characters, and at most 100 are",
        ),
        (labelled(("a", "x"), ("", "y")), "an empty label"),
    ],
)
def test_what_cannot_be_learned_is_refused(items, message):
    assert message in refusal(items)
    assert len(refusal(items)) < 300


@pytest.mark.parametrize("count", [10, 13, 20, 35, 50, 51, 200])
def test_swapped_columns_are_refused_however_few(count):
    """Names are longer than some labels and shorter than others; a few occur twice."""
    right = [
        Labelled(["ham", "a long label", "x"][n % 3], f"name {n - (n % 7 == 6)}")
        for n in range(count)
    ]
    check_labelled(right)
    assert "are the columns swapped?" in refusal([Labelled(b, a) for a, b in right])
    short = [Labelled(f"a long label {n % 3}", f"n{n}") for n in range(count)]
    assert f"{count} labels, and 3 different texts: are the columns swapped?" in refusal(
        [Labelled(b, a) for a, b in short]
    )


def test_a_small_sample_of_many_labels_passes():
    """Labels longer than texts, and nearly one of their own for each, are not swapped columns."""
    labels = [f"Portuguese {n}" for n in range(14)] + ["Portuguese 0"]
    assert check_labelled([Labelled(label, f"S{n}") for n, label in enumerate(labels)])
    with pytest.raises(ConfigError, match="every one of 14 items has a different label"):
        check_labelled([Labelled(label, f"S{n}") for n, label in enumerate(labels[:14])])


@pytest.mark.parametrize("count", [2, 4, 10])
def test_swapped_columns_of_a_few_sentences_are_refused(count):
    words = [f"the/D cat{n}/N sat{n}/V on{n % 3}/P a/D" for n in range(count)]
    check_tagged(tagged(*words))
    swapped = tagged(*(" ".join("/".join(w.split("/")[::-1]) for w in s.split()) for s in words))
    assert "are the columns swapped?" in refusal(swapped, check_tagged)


def test_few_tokens_may_have_more_tags():
    """Bases of DNA: each tag occurs often, so nothing is swapped."""
    bases = [f"{base}/T{n % 9}" for n, base in enumerate("ACGT" * 20)]
    check_tagged(tagged(" ".join(bases[:40]), " ".join(bases[40:])))


def test_labels_of_any_language_pass():
    labels = ["a" * 100, "\u0645\u06cc\u200c\u062e", "e\u0301", "👩\u200d👧", "New York"]
    assert check_labelled([*map(Labelled, labels, "abcde")]) == [
        "5 labels have only one distinct text: they are trained on, not held out"
    ]


def test_many_labels_of_which_some_are_common_pass():
    items = [Labelled(f"{n % 15}", f"text {n}") for n in range(20)]
    assert check_labelled(items) == [
        "10 labels have only one distinct text: they are trained on, not held out"
    ]


def test_a_few_items_may_differ_in_all():
    check_labelled(labelled(("positive", "good"), ("negative", "bad")))


def test_findings_of_tags_are_counted():
    items = tagged("a/X b/Y", "a/X b/Y", "a/X b/X", "a/X c/Z", "d/X")
    assert check_tagged(items) == [
        "1 tag occurs only once",
        "1 sentence repeats another: copies are on the same side of the split",
        "1 sentence has several taggings: no model can be more than 88.9 % accurate",
    ]
    assert check_tagged(tagged("a/O " * 97 + "b/X c/X e/X")) == [
        "97.0 % of the tokens have the tag O: the F1 of each tag is more informative than accuracy"
    ]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "no sentence"),
        (tagged("a/O b/O"), "every token has the tag O"),
        (tagged("a/O b/\x1b[2J"), "the tag \\x1b[2J has a control character"),
        (tagged(f"a/O b/{'x' * 101}"), "has 101 characters, and at most 100 are allowed"),
        (tagged(*(f"O/word{n}" for n in range(60))), "60 different tags and 1 different tokens"),
        (tagged(*(f"w{n}/T{n}" for n in range(1001))), "1,001 tags, and at most 1,000 are allowed"),
    ],
)
def test_tags_that_cannot_be_learned_are_refused(items, message):
    assert message in refusal(items, check_tagged)


def test_errors_name_a_file_as_it_was_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("own.txt").write_text("no tab here\n\nor here\n")
    for predict, line in (("label", 1), ("tags", 3)):
        with pytest.raises(CorpusError, match=rf"^own\.txt, line {line}: "):
            charrnn.train("own.txt", predict=predict, steps=1)
