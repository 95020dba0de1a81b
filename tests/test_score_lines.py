"""Lines that are scored side by side: each as if it were alone, whatever is beside it."""

import numpy as np
import pytest
from cells import KINDS
from programs import NAMES, trained

from charrnn.config import Architecture
from charrnn.errors import CheckpointError, ConfigError, CorpusError
from charrnn.evaluation.lines import symbols
from charrnn.evaluation.lines.models import Figures, Models
from charrnn.evaluation.lines.parts import characters, words
from charrnn.evaluation.lines.repeats import NEXT, SHARE, surprises
from charrnn.evaluation.lines.rows import Division, Row
from charrnn.evaluation.lines.scoring import NoPrompt, RowScore, RowScorer
from charrnn.evaluation.lines.strangest import Strangest, whole_line
from charrnn.evaluation.lines.symbols import SymbolReader
from charrnn.nn.cells import CELLS
from charrnn.nn.loss import log_softmax_
from charrnn.nn.model import CharModel
from charrnn.parallel import team
from charrnn.text import Corpus, read_corpus
from charrnn.text.codes import to_codes

LINES = ["pack my box", "", "jugs", "with five dozen liquor jugs", "j", "jogs é", "ѣ"]


@pytest.fixture(scope="module")
def model():
    return trained()


@pytest.fixture(scope="module")
def names():
    return trained(NAMES, items="line", steps=30)


def test_a_row_that_is_kept_does_not_keep_those_beside_it(model):
    with RowScorer(model.checkpoint) as scorer:
        found = scorer.score([to_codes("box"), to_codes("jugs " * 100)])
    for score in found:
        assert not any(
            np.shares_memory(getattr(score, name), getattr(found, name))
            for name in ("codes", "nats", "known")
        )
    strangest = Strangest(1, "character")
    strangest.add([0, 1], [Figures(score.total, 1, 0) for score in found], [*found])
    (entry,) = strangest._heaps["character"]
    assert entry.surprises.base is None


def make(cell="gru", V=11, members=1, dtype=np.float64):
    config = Architecture(**KINDS[cell], num_layers=1, hidden_size=12, dropout=0.3, members=members)
    network = CharModel(config, V, dtype=dtype)
    rng = np.random.default_rng(0)
    network.initialise(rng)
    for member in network.members.values():  # so that what it reads matters
        member.head.W[...] = rng.standard_normal(member.head.W.shape)
    return network


def naive(network, before, row):
    """One symbol at a time, by the definition."""
    state, nats = network.zero_state(1), []
    for place, after in enumerate([*before[1:], *row], 1):
        logits, state = network.forward(np.array([[[*before, *row][place - 1]]]), state)
        nats.append(-float(log_softmax_(logits.astype(np.float64))[after, 0]))
    return nats[len(before) - 1 :]


def some_rows(lengths, V=11):
    return [np.random.default_rng(n).integers(0, V, n).astype(np.uint8) for n in lengths]


def costs_of(network, before, rows, threads=1):
    reader = SymbolReader(network, np.array(before, np.uint8), threads=threads)
    try:
        return reader.costs(rows)
    finally:
        reader.close()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("before", [[3], [3, 1, 4, 1]])
def test_each_row_costs_what_it_costs_alone(cell, before):
    network, rows = make(cell), some_rows([5, 0, 1, 90, 7, 2])
    wanted = [nats for row in rows for nats in naive(network, before, row.tolist())]
    assert costs_of(network, before, rows) == pytest.approx(wanted, rel=1e-5)


def test_members_predict_together():
    network, rows = make(members=2), some_rows([4, 6])
    wanted = [nats for row in rows for nats in naive(network, [2], row.tolist())]
    assert costs_of(network, [2], rows) == pytest.approx(wanted, rel=1e-5)


def test_no_rows_cost_nothing():
    assert costs_of(make(), [1], []).shape == (0,)
    assert costs_of(make(), [1], some_rows([0, 0])).shape == (0,)


@pytest.mark.parametrize("forks", [True, False])
def test_threads_give_the_same_bits(forks, monkeypatch):
    if forks and not team.FORKS:
        pytest.skip("no forks here")
    monkeypatch.setattr(team, "FORKS", forks)
    monkeypatch.setattr(symbols, "SIDE_BY_SIDE", 4)
    monkeypatch.setattr(symbols, "LONG", 50)
    monkeypatch.setattr(symbols, "PIECE", 20)
    network, rows = make(dtype=np.float32), some_rows([*range(30), 300])
    one = costs_of(network, [1], rows)
    assert [costs_of(network, [1], rows, threads).tobytes() for threads in (2, 3, 40)] == [
        one.tobytes()
    ] * 3


def test_a_long_row_is_read_in_pieces_that_are_warmed_up(monkeypatch):
    network, rows = make(), some_rows([3000, 4, 2999, 301])
    whole = costs_of(network, [1], rows)
    monkeypatch.setattr(symbols, "LONG", 300)
    monkeypatch.setattr(symbols, "PIECE", 290)
    pieces = costs_of(network, [1], rows)
    assert pieces == pytest.approx(whole, abs=1e-4)
    monkeypatch.setattr(symbols, "WARM_UP", 1)  # too little to know what came before
    assert costs_of(network, [1], rows) != pytest.approx(whole, abs=1e-4)


def test_a_long_context_is_read_in_windows_that_hold_few_logits(monkeypatch):
    network, rows, before = make(), some_rows([5]), [3, 1, 4, 1, 5, 9, 2]
    whole = costs_of(network, before, rows)
    monkeypatch.setattr(symbols, "LOGITS", 3 * 11)
    sizes, forward = [], network.forward
    monkeypatch.setattr(network, "forward", lambda x, h: sizes.append(len(x)) or forward(x, h))
    assert costs_of(network, before, rows) == pytest.approx(whole, rel=1e-6)
    assert sizes == [3, 3]
    monkeypatch.setattr(symbols, "LOGITS", 1)
    assert costs_of(network, before, rows) == pytest.approx(whole, rel=1e-6)


def rows_of(model, lines):
    return [model.vocabulary.text_to_codes(line) for line in lines]


def test_a_line_costs_what_score_says_with_its_end(model):
    with RowScorer(model.checkpoint) as scorer:
        found = scorer.score(rows_of(model, LINES))
    for line, row in zip(LINES, found, strict=True):
        alone = model.score(line + "\n")
        assert row.total == pytest.approx(alone.total_nats, rel=1e-5), line
        assert row.nats == pytest.approx(alone.nats, abs=1e-5)
        assert row.unknown == np.count_nonzero(alone.unknown)
        assert len(row.codes) == alone.characters
    assert found.characters.tolist() == [len(line) + 1 for line in LINES]


def test_a_line_costs_the_same_whatever_is_beside_it(model):
    with RowScorer(model.checkpoint) as scorer:
        together = scorer.score(rows_of(model, LINES)).total
        shuffled = scorer.score(rows_of(model, LINES[::-1])).total[::-1]
        alone = [scorer.score(rows_of(model, [line])).total[0] for line in LINES]
    assert together == pytest.approx(shuffled, rel=1e-5)
    assert together == pytest.approx(alone, rel=1e-5)


def test_the_context_is_read_and_not_scored(model, names):
    for one, text, context in ((model, "box\n", "pack my "), (names, "la", "ba")):
        with RowScorer(one.checkpoint, context=context) as scorer:
            found = scorer.score(rows_of(one, [text.rstrip("\n")]))
        assert found.total[0] == pytest.approx(one.score(text, context=context).total_nats, 1e-5)


def test_without_a_line_end_in_the_vocabulary_there_is_none_to_score():
    model = trained("abcb" * 100, steps=5)
    with RowScorer(model.checkpoint) as scorer:
        found = scorer.score(rows_of(model, ["ab", ""]))
    assert found.characters.tolist() == [2, 0]
    assert found.total.tolist() == [pytest.approx(model.score("ab").total_nats, 1e-5), 0]
    with RowScorer(model.checkpoint, with_end=True) as scorer:  # as beside another model
        assert scorer.score(rows_of(model, ["ab"])).unknown.tolist() == [1]


def test_items_are_scored_with_their_end_and_empty_ones_are_none(names):
    with RowScorer(names.checkpoint) as scorer:
        found = scorer.score(rows_of(names, ["bala", "", "ээ", "béma"]))
    assert found.characters.tolist() == [5, 0, 2, 5]
    for number, text in ((0, "bala"), (2, "ээ"), (3, "béma")):
        assert found.total[number] == pytest.approx(names.score(text).total_nats, rel=1e-5)


def test_prompts_are_read_and_not_scored():
    text = "".join(f"{letter}\t{letter * 3}{n}\n" for letter in "xyz" for n in range(40))
    model = trained(text, prompted=True, steps=60)
    with RowScorer(model.checkpoint) as scorer:
        found = scorer.score(rows_of(model, ["x\txxx1", "z\txxx1"]))
        with pytest.raises(NoPrompt, match="text 2 has no prompt") as caught:
            scorer.score(rows_of(model, ["x\txxx1", "xxx1"]))
    assert caught.value.row == 1
    assert ["".join(map(chr, row.codes)) for row in found] == ["xxx1\n"] * 2
    assert ["".join(map(chr, row.prompt)) for row in found] == ["x\t", "z\t"]
    assert found.total[0] < found.total[1]
    evaluation = model.evaluate(text="x\txxx1\n")
    assert found.total[0] == pytest.approx(evaluation.total_nats, rel=1e-5)
    with RowScorer(model.checkpoint, context="x\t") as scorer:
        assert scorer.score(rows_of(model, ["xxx1"])).total[0] == pytest.approx(found.total[0])


def test_a_file_without_a_prompt_says_where():
    model = trained("".join(f"x\txxx{n}\n" for n in range(40)), prompted=True, steps=2)
    corpus = Corpus.from_text("x\ty\ny\n")
    wanted = "text in memory, line 2 has no prompt"
    with Models({"m": model.checkpoint}) as models, pytest.raises(CorpusError, match=wanted):
        [*models.files(corpus)]


def test_what_of_the_context_is_not_read_is_said(model):
    others = {"a": model.checkpoint, "b": trained("§ box\n" * 40, steps=2).checkpoint}
    with Models({"a": model.checkpoint}, context="§x§") as models:
        assert [*models.notices] == [
            "left out of the context: '§' (U+00A7), which the model does not know"
        ]
    with Models(others, context="§p") as models:
        assert [*models.notices] == [
            "left out of the context: '§' (U+00A7), which a does not know",
            "left out of the context: 'p' (U+0070), which b does not know",
        ]
    with Models(others, context="box") as models:
        assert [*models.notices] == []


def test_a_model_without_counts_is_named(model):
    models = dict.fromkeys("ab", model.checkpoint)
    with pytest.raises(ConfigError, match="a: this model has no counts"):
        Models(models, counts=True)
    with pytest.raises(ConfigError, match=r"^this model has no counts"):
        Models({"a": model.checkpoint}, counts=True)


def test_a_model_of_labels_is_refused():
    text = "".join(f"{'odd' if n % 2 else 'even'}\t{n}\n" for n in range(10, 200))
    model = trained(text, predict="label", steps=3)
    with pytest.raises(ConfigError, match="charrnn predict"):
        RowScorer(model.checkpoint)


def test_a_model_that_diverged_says_so(model):
    network = model.checkpoint.model()
    network.parameters.vector[...] = np.nan
    with (
        RowScorer(model.checkpoint, network) as scorer,
        pytest.raises(CheckpointError, match="not finite"),
    ):
        scorer.score(rows_of(model, ["box"]))


def test_lines_of_files_are_numbered_in_each(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("charrnn.evaluation.lines.rows.BLOCK", 7)
    (tmp_path / "a.txt").write_text("one\n\ntwo three four\nfive")
    (tmp_path / "b.txt").write_text("six\nseven\n")
    corpus = read_corpus(["a.txt", "b.txt"])
    division = Division(model.checkpoint.task, model.vocabulary)
    rows = [row for block in division.of_corpus(corpus) for row in block]
    found = [("".join(map(chr, row.codes)), row.number, row.source) for row in rows]
    assert found == [
        ("one", 1, "a.txt"),
        ("", 2, "a.txt"),
        ("two three four", 3, "a.txt"),
        ("five", 4, "a.txt"),
        ("six", 1, "b.txt"),
        ("seven", 2, "b.txt"),
    ]


def score_files(model, text):
    with Models({"m": model.checkpoint}) as models:
        (found,) = models.files(Corpus.from_text(text))
    return found.figures[0]


def test_a_file_is_scored_as_one_text(model, names, monkeypatch):
    for text in ("pack my box\nwith é five\n" * 9, "ё"):
        alone = model.score(text)
        for block in (10**6, 13):
            monkeypatch.setattr("charrnn.evaluation.lines.models.BLOCK", block)
            found = score_files(model, text)
            assert found.nats == pytest.approx(alone.total_nats, rel=1e-5)
            assert (found.characters, found.unknown) == (
                len(text),
                text.count("é") + text.count("ё"),
            )
    evaluation = names.evaluate(text="bala\nkéma\n")
    found = score_files(names, "bala\nkéma\n")
    assert found.nats == pytest.approx(evaluation.total_nats, rel=1e-5)
    assert found.characters == evaluation.characters


def test_models_are_compared_over_the_same_characters(model):
    of_bytes = trained("pack my böx\n" * 40, unit="byte", steps=5)
    with Models({"a": model.checkpoint, "b": of_bytes.checkpoint}) as models:
        (rows,) = models.rows([[Row(codes, 1) for codes in rows_of(model, ["böx", "box"])]])
    for row in rows:
        assert [each.characters for each in row.figures] == [4, 4]
    assert [each.unknown for each in rows[0].figures] == [1, 0]
    assert rows[0].figures[1].nats == pytest.approx(of_bytes.score("böx\n").total_nats, rel=1e-5)


def test_models_that_divide_otherwise_are_not_compared(model):
    poems = trained("ab\ncd\n\nef\n\n" * 30, items="blank-line", steps=3)
    with pytest.raises(ConfigError, match="a scores lines and b blank-lines"):
        Models({"a": model.checkpoint, "b": poems.checkpoint})


def parts_of(model, line, of):
    with RowScorer(model.checkpoint) as scorer:
        found = scorer.score(rows_of(model, [line]))[0]
    return found, [*of(model.vocabulary, found)]


def test_the_words_of_a_line_cost_what_the_line_costs(model):
    def of(vocabulary, score):
        return words(vocabulary, score, ord("\n"))

    found, parts = parts_of(model, "  pack my  jugs", of)
    assert [(part.text, part.column, part.symbols) for part in parts] == [
        ("pack", 3, 7),
        ("my", 8, 4),
        ("jugs", 12, 5),
    ]
    assert sum(part.nats for part in parts) == pytest.approx(found.total)
    assert parts_of(model, "   ", of)[1] == []


def test_characters_are_whole_ones():
    model = trained("하늘이 맑다\n" * 60, normalize="nfd", steps=5)
    found, parts = parts_of(model, "하늘 x", characters)
    assert [(part.text, part.column, part.symbols, part.unknown) for part in parts] == [
        ("하", 1, 2, 0),
        ("늘", 2, 3, 0),
        (" ", 3, 1, 0),
        ("x", 4, 1, 1),
        ("\n", 5, 1, 0),
    ]
    assert sum(part.nats for part in parts) == pytest.approx(found.nats.sum())


def row_of(codes, nats):
    codes, nats = np.array(codes, np.uint32), np.array(nats, np.float64)
    return RowScore(codes, nats, np.ones(len(codes), np.bool_), float(nats.sum()), codes[:0])


def strangest(count, by, *costs):
    found = Strangest(count, by)
    rng = np.random.default_rng(0)
    scores = [row_of(rng.integers(1, 2**20, len(nats)), nats) for nats in costs]
    figures = [Figures(float(sum(nats)), len(nats), 0) for nats in costs]
    found.add(range(len(costs)), figures, scores)
    return [(strange.row, strange.why) for strange in found]


def test_the_strangest_are_one_of_each_kind_in_turn():
    usual, spike, odd, short = [1.0] * 20, [1.0] * 19 + [9.0], [3.0] * 20, [4.0]
    costs = [usual, short, odd, usual, spike]
    assert strangest(2, "both", *costs) == [(4, "character"), (2, "line")]
    assert strangest(2, "line", *costs) == [(2, "line"), (1, "line")]
    assert strangest(1, "character", *costs) == [(4, "character")]
    assert strangest(3, "both", spike, spike, spike) == [
        (0, "character"),
        (1, "character"),
        (2, "character"),
    ]
    assert len(strangest(9, "both", *costs)) == 5


def test_of_equal_rows_the_first_is_shown():
    found = Strangest(2, "both")
    name, other = row_of([7, 7, 7], [9, 9, 9]), row_of([1, 2, 3], [2, 1, 1])
    rows = [other, name, name, name, row_of([4, 5, 6], [3, 1, 1])]
    found.add(range(5), [Figures(each.total, 3, 0) for each in rows], rows)
    assert sorted(strange.row for strange in found) == [1, 4]


def test_a_short_line_is_not_strange_for_being_short():
    assert whole_line(4.0, 1, 1.5) < whole_line(60.0, 20, 1.5)  # 4 nats a character, and 3
    assert whole_line(9.0, 1, 1.5) < whole_line(60.0, 20, 1.5)  # an empty line where none is usual
    assert whole_line(0.0, 0, 1.5) == -np.inf


def test_a_surprise_that_the_text_repeats_is_none():
    once, name = [row_of([1, 2, 3, 4], [1, 1, 9, 1])], row_of([7, 6, 5, 4], [1, 1, 9, 1])
    alone = (1 + NEXT) * -np.log(1 - SHARE) + 9 + NEXT  # and what comes behind it
    assert surprises(once)[0].max() == pytest.approx(alone)
    rows = [*once, name, name, row_of([7, 6, 8], [1, 1, 1]), row_of([], [])]
    repeated = [each.max(initial=0) for each in surprises(rows)]
    assert repeated[0] == pytest.approx(alone)
    # It follows on the same symbols once in the two other places where these are, and 4 always.
    itself = -np.log((1 - SHARE) * np.exp(-9) + SHARE / 2)
    assert repeated[1] == pytest.approx(itself + NEXT * -np.log((1 - SHARE) * np.exp(-1) + SHARE))
    assert repeated[4] == 0
    assert [len(each) for each in surprises(rows)] == [4, 4, 4, 3, 0]
    assert [len(each) for each in surprises([row_of([], [])])] == [0]
