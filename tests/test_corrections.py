"""Typos: found, and corrected by the one change that makes a row the likeliest."""

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from programs import NAMES, trained

from charrnn.evaluation.lines import corrections
from charrnn.evaluation.lines.corrections import Corrector, changed_words
from charrnn.evaluation.lines.models import Figures
from charrnn.evaluation.lines.repeats import surprises
from charrnn.evaluation.lines.scoring import RowScore, RowScorer
from charrnn.evaluation.lines.strangest import Strangest
from charrnn.nn.loss import log_softmax_
from charrnn.text.codes import to_codes, to_text

TEXT = "the quick brown fox jumps over a lazy dog"
PAIRS = {*pairwise(f" {TEXT}\n")}


@pytest.fixture(autouse=True)
def all_that_follow(monkeypatch):
    """Try every character that ``TEXT`` has after another."""
    monkeypatch.setattr(corrections, "LIKELY", 20)
    monkeypatch.setattr(corrections, "INSERTED", 20)


class Pairs:
    """A scorer that charges ten nats for each pair of characters that ``TEXT`` does not have."""

    def nats(self, text):
        return [0.1 + 10.0 * (pair not in PAIRS) for pair in pairwise(f" {text}\n")]

    def scored(self, text, prompt=""):
        nats = np.array(self.nats(text))
        codes = to_codes(text + "\n")
        return RowScore(codes, nats, nats > 0, float(nats.sum()), to_codes(prompt))

    def score(self, rows):
        self.rows = [to_text(row) for row in rows]
        return SimpleNamespace(total=np.array([sum(self.nats(row)) for row in self.rows]))

    def without_end(self, score):
        return score.codes[:-1]

    def expected(self, prompt, codes, count):
        before = f" {to_text(codes)}"
        after = [[b for a, b in sorted(PAIRS) if a == last and b != "\n"] for last in before]
        return [to_codes("".join(some[:count])) for some in after]


def corrected(text, prompt=""):
    scorer = Pairs()
    row = scorer.scored(text, prompt)
    (found,) = Corrector(scorer).corrected([row], [row.nats])
    return found if found is None else (to_text(found.codes), found.saved)


@pytest.mark.parametrize(
    ("typo", "rarer"),
    [
        (TEXT.replace("quick", "qiuck"), 0),  # two swapped
        (TEXT.replace("brown", "brqwn"), 0),  # another one
        (TEXT.replace("the", "teh"), 0),
        (TEXT.replace("fox", "foox"), corrections.RARER),  # one too many
        (TEXT.replace("jumps", "jups"), corrections.RARER),  # one too few
        (TEXT.replace("the", "xhe"), 0),  # the first of all
        (TEXT[:-1] + "z", 0),  # the last of all
    ],
)
def test_one_change_is_taken_back(typo, rarer):
    saved = sum(Pairs().nats(typo)) - sum(Pairs().nats(TEXT)) - rarer
    assert saved > 0
    assert corrected(typo) == (TEXT, pytest.approx(saved))


def test_what_no_change_makes_likelier_is_left():
    assert corrected(TEXT) is None
    assert corrected("") is None


def test_a_prompt_is_read_and_stays_what_it_is():
    scorer = Pairs()
    row = scorer.scored("the qiuck", "the qiuck brqwn\t")
    (found,) = Corrector(scorer).corrected([row], [row.nats])
    assert to_text(found.codes) == "the quick"
    assert all(text.startswith("the qiuck brqwn\t") for text in scorer.rows)


def test_a_symbol_that_is_tried_may_be_wider_than_those_of_the_row():
    assert to_codes("a").dtype.itemsize < to_codes("Š").dtype.itemsize

    class Carons(Pairs):
        def nats(self, text):
            return [10.0 * (text != "Škoda")] + [0.1] * len(text)

        def expected(self, prompt, codes, count):
            return [to_codes("Š")] * (len(codes) + 1)

    scorer = Carons()
    row = scorer.scored("skoda")
    (found,) = Corrector(scorer).corrected([row], [np.array([5.0, 0, 0, 0, 0, 0])])
    assert to_text(found.codes) == "Škoda"


def test_a_row_with_a_long_prompt_is_left(monkeypatch):
    monkeypatch.setattr(corrections, "MOST_PROMPT", 3)
    assert Corrector(Pairs()).corrected([Pairs().scored("the qiuck", "long")], [np.ones(10)]) == [
        None
    ]


def test_a_long_row_is_compared_around_its_typos(monkeypatch):
    monkeypatch.setattr(corrections, "BEFORE", 20)
    monkeypatch.setattr(corrections, "AFTER", 10)
    before, behind = "a lazy " * 100, " over a" * 100 + " dog"
    scorer = Pairs()
    row = scorer.scored(f"{before}qiuck{behind}")
    (found,) = Corrector(scorer).corrected([row], [row.nats])
    assert to_text(found.codes) == f"{before}quick{behind}"
    assert max(map(len, scorer.rows)) <= 31


def test_many_rows_are_corrected_as_each_alone(monkeypatch):
    texts = [TEXT.replace(a, b) for a, b in (("fox", "fxo"), ("", ""), ("lazy", "lazzy"))] * 3
    scorer = Pairs()
    rows = [scorer.scored(text) for text in texts]
    monkeypatch.setattr(corrections, "AT_ONCE", 2)
    found = Corrector(scorer).corrected(rows, [row.nats for row in rows])
    assert [each and to_text(each.codes) for each in found] == [TEXT, None, TEXT] * 3


def test_rows_with_a_likely_row_beside_them_are_the_first_typos():
    scorer = Pairs()
    # A name surprises as much, or more, and nothing near it is likely.
    texts = ["the xqzvjw fox", TEXT, TEXT.replace("lazy", "lzay"), "zzzz"]
    rows = [scorer.scored(text) for text in texts]
    figures = [Figures(row.total, len(row.codes), 0) for row in rows]
    orders = []
    for corrector in (None, Corrector(scorer)):
        strangest = Strangest(3, "character", corrector)
        strangest.add(range(len(rows)), figures, rows)
        orders.append([strange.row for strange in strangest])
    assert orders[0][0] != 2
    assert orders[1][0] == 2
    assert len(orders[1]) == 3


def test_a_text_is_shown_once_whatever_the_type_of_its_symbols():
    scorer = Pairs()
    row = scorer.scored("zzzz")
    strangest = Strangest(4, "both")
    for number, kind in enumerate((np.uint8, np.uint16)):
        again = replace(row, codes=row.codes.astype(kind))
        strangest.add([number], [Figures(row.total, len(row.codes), 0)], [again])
    assert [strange.row for strange in strangest] == [0]


def test_rows_in_plenty_are_kept_and_only_some_corrected(monkeypatch):
    monkeypatch.setattr("charrnn.evaluation.lines.strangest.SPARE", 2)
    monkeypatch.setattr("charrnn.evaluation.lines.strangest.TRIED", 3)
    scorer = Pairs()
    tried = []
    corrector = SimpleNamespace(corrected=lambda rows, _: tried.append(len(rows)) or [None] * 3)
    strangest = Strangest(4, "both", corrector)
    rows = [scorer.scored(f"row {number} qx") for number in range(30)]
    strangest.add(range(30), [Figures(row.total, len(row.codes), 0) for row in rows], rows)
    assert len({strange.row for strange in strangest}) == 4
    assert tried == [3]


@pytest.mark.parametrize(
    ("text", "settings"), [(None, {}), (NAMES, {"items": "line", "steps": 30})]
)
def test_what_a_model_expects_is_what_it_gives_to_each_symbol(text, settings):
    model = trained(text, **settings) if text else trained()
    checkpoint = model.checkpoint
    vocabulary, network = checkpoint.vocabulary, checkpoint.model()
    row, prompt = to_codes("box é jug"), to_codes("my ")
    with RowScorer(checkpoint, context="pa") as scorer:
        found = scorer.expected(prompt, row, 3)
        known = [code for code in (*prompt, *row) if code in vocabulary.symbols]
        before = sum(code in vocabulary.symbols for code in prompt)
        first = scorer._begin.tolist()
    assert len(found) == len(row) + 1
    ids = np.array([*first, *vocabulary.encode(np.array(known, row.dtype))])
    logits, _ = network.forward(ids[:, np.newaxis], network.zero_state(1))
    nats = -log_softmax_(logits.astype(np.float64))
    end = checkpoint.task.end
    for place, column in ((0, len(first) - 1 + before), (9, len(ids) - 1)):
        order = vocabulary.symbols[np.argsort(nats[:, column], kind="stable")]
        assert found[place].tolist() == [code for code in order if code != end][:3]


@pytest.mark.parametrize("counts", [False, True])
def test_a_trained_model_finds_a_typo(counts):
    model = trained("the quick brown fox jumps over the lazy dog\n" * 40, steps=60, counts=counts)
    checkpoint = model.checkpoint
    network = checkpoint.with_counts(checkpoint.model()) if counts else None
    with RowScorer(checkpoint, network, threads=2) as scorer:
        rows = [*scorer.score([to_codes("the quikc brown fox jumps over the lazy dog")])]
        (found,) = Corrector(scorer).corrected(rows, surprises(rows))
        again = scorer.score([found.codes]).total[0]
    assert to_text(found.codes) == "the quick brown fox jumps over the lazy dog"
    assert found.saved == pytest.approx(rows[0].total - again, rel=1e-4)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("that tihnks so", "that thinks so", ("tihnks", "thinks")),
        ("tihnks", "thinks", ("tihnks", "thinks")),
        ("a b", "ab", ("a b", "ab")),
        ("ab", "a b", ("ab", "a b")),
        ("all aall", "all all", ("aall", "all")),
        ("x so", " so", ("x", "")),
    ],
)
def test_the_words_in_which_two_rows_differ(before, after, words):
    assert changed_words(before, after) == words
