"""Advice at the end of a run: overfitting, underfitting, and the one option to try."""

from charrnn.training.advice import of_labels, of_run

SETTINGS = {
    "entropy": 3.3,
    "dropout": 0.1,
    "hidden_size": 128,
    "minutes": 2.5,
}


def rows(train, val):
    """Ten validations every 100 steps."""
    return [(100 * (i + 1), a, b) for i, (a, b) in enumerate(zip(train, val, strict=True))]


FALLING = [3.0, 2.6, 2.3, 2.1, 2.0, 1.9, 1.8, 1.7, 1.6, 1.5]
RISING = [3.0, 2.4, 2.0, 1.8, 1.7, 1.65, 1.66, 1.68, 1.72, 1.8]
FLAT = [3.0, 2.4, 2.0, 1.8, 1.71, 1.71, 1.705, 1.703, 1.702, 1.702]


def says(train, val, **settings):
    return of_run(rows(train, val), **{**SETTINGS, **settings})


def test_a_run_that_ended_by_its_epochs_is_not_to_be_resumed():
    words = says(FALLING, FALLING, max_epochs=5.0, run="book")
    assert words.startswith("not finished: ")
    assert words.endswith("Try --max-epochs 10")


def test_overfitting():
    words = says([x - 0.2 for x in FALLING], RISING)
    assert words.startswith("overfitting: since step 600 ")
    assert "from 1.650 to 1.800 nats" in words
    assert "fell to 1.300" in words
    assert words.endswith("Try --dropout 0.3")
    assert says(FALLING, RISING, dropout=0.4).endswith("Try --dropout 0.5")
    assert says(FALLING, RISING, dropout=0.5).endswith("Try --hidden-size 64")
    assert says(FALLING, RISING, dropout=0.5, hidden_size=None).endswith("Try --minutes 1.25")
    words = says([x - 0.1 for x in FALLING], FLAT)
    assert words.startswith("overfitting begins: ")
    assert "from 1.900 to 1.400 nats" in words
    assert "stayed at 1.702" in words
    assert words.endswith("Try --dropout 0.3")
    words = says([x - 0.5 for x in FLAT], FLAT)
    assert "neither loss is falling any more" in words
    assert words.endswith("Try --dropout 0.3")


def test_underfitting():
    words = says(FALLING, [x + 0.1 for x in FALLING])
    assert words.startswith("not finished: ")
    assert "from 2.100 nats halfway to 1.600, with a training loss of 1.500 (measured" in words
    assert words.endswith("Try --minutes 5")
    assert says([x - 0.5 for x in FALLING], FALLING).startswith("not finished: ")
    assert says(FALLING, FALLING, minutes=None, steps=1000).endswith("Try --steps 2000")
    assert says(FALLING, FALLING, minutes=None).endswith("Try --steps 2000")
    assert says(FALLING, FALLING, minutes=None, steps=99, epochs=1.5).endswith("Try --epochs 3")


def test_half_way_is_by_steps_where_validations_are_closer_at_the_beginning():
    early = [(10 * (i + 1), x, x) for i, x in enumerate(FALLING)]
    words = of_run([*early, (500, 1.3, 1.3), (1000, 1.0, 1.0)], **SETTINGS)
    assert words.startswith("not finished: ")
    assert "from 1.300 nats halfway to 1.000" in words


def test_a_run_goes_on_rather_than_begin_again():
    words = says(FALLING, FALLING, run="my book")
    assert words.endswith("Try charrnn train --resume 'my book' --minutes 5")
    words = says(FALLING, FALLING, run="book", minutes=None, steps=1000)
    assert words.endswith("Try charrnn train --resume book --steps 2000")
    assert not of_labels(
        0.8, most_frequent=0.5, tested=2, at_end=True, capped=True, steps=10, run="book"
    )
    words = of_labels(
        0.5, most_frequent=0.5, tested=2, at_end=True, capped=True, steps=10, run="book"
    )
    assert words.endswith("Try more text")  # for --resume is refused after all useful epochs
    words = of_labels(0.8, most_frequent=0.5, tested=2, at_end=True, steps=10, run="book")
    assert words.startswith("not finished: ")
    assert words.endswith("Try charrnn train --resume book --steps 20")


def test_that_the_training_loss_has_dropout_is_said_once():
    for train, val in ((FALLING, FALLING), (FALLING, RISING), (FLAT, FLAT), (FALLING, FLAT)):
        assert says(train, val).count("measured with dropout") == 1
        assert "dropout)" not in says(train, val, dropout=0.0)


def test_an_end_that_is_unlike_the_rest_is_no_overfitting():
    for unigram in (9.0, 1.0):
        words = says(FALLING, RISING, unigram=unigram, unlike=True, other_split="hashed")
        assert "Try" not in words
        assert words.endswith(
            "But the held-out end differs from the rest of the text: --split-mode hashed holds out "
            "parts from all over it"
        )


def test_at_the_limit_of_its_size():
    words = says(FLAT, FLAT)
    assert words.startswith("at its limit: ")
    assert words.endswith("Try --hidden-size 256")
    assert says(FLAT, FLAT, hidden_size=None).endswith("Try without --init-from")


def test_no_better_than_frequencies():
    flat = [3.29] * 10
    assert "a loss of 3.290 nats is hardly better than the 3.300" in says(flat, flat)
    assert says(flat, flat).endswith("Try --minutes 5")
    assert says(flat, flat, learning_rate=1e-7).endswith("Try without --learning-rate 1e-07")
    assert "nothing learned" in says(flat, [None] * 10)
    words = says(FALLING, [3.31] * 10, unigram=3.3, other_split="strided")
    assert words.startswith("useless: the best validation loss, 3.310 nats, is not below the 3.300")
    assert (
        "The training loss fell to 1.500, so it memorized its training part. Try --dropout 0.3"
        in words
    )
    assert words.endswith("--split-mode strided")
    alone = says(FALLING, [3.31] * 10, unigram=3.3, counts_help=True)
    assert alone.startswith("useless without counts: the best validation loss, 3.310 nats")
    assert "--split-mode" not in says(FALLING, [3.31] * 10, unigram=3.3)  # by hash: all over it
    words = says(FALLING, [3.31] * 10, unigram=3.3, dropout=0.5)
    assert "Try --hidden-size 64" in words
    words = of_run([(5, 3.29, 3.4)], **SETTINGS, unigram=3.35)  # however short the run
    assert words.endswith("Try --minutes 5, or another --learning-rate")
    assert "nothing learned" not in says([3.35] * 10, FALLING)  # a large dropout
    words = of_run([(5, 3.9, None)], **SETTINGS)
    assert "3.90 nats, above the 3.30 of predicting by character frequencies" in words
    early = [
        (step // 20, train, val) for step, train, val in rows([3.0, 4.5, *FALLING[2:]], FALLING)
    ]
    assert of_run(early, **SETTINGS) == ""  # the first steps of a short run went too far
    once = [*FALLING[:4], 115.0, *FALLING[4:9]]
    assert "115.00 nats, above the 3.30" in says(once, once)  # it fell again, but was lost once
    assert "above" not in says([5.0, *FALLING[1:]], [5.0, *FALLING[1:]])  # from another text
    assert "lower --learning-rate" in words


def test_a_run_of_enough_epochs_asks_for_more_text():
    words = says([x - 0.2 for x in FALLING], RISING, capped=True)
    assert words.startswith("as good as this text allows: after this many epochs the training loss")
    assert "best validation loss, 1.650" in words
    assert words.endswith("More text of this kind would help most")


def test_copies_take_the_place_of_advice():
    assert says(FALLING, FALLING, shared=0.94).startswith("94 % of the held-out text is also")
    assert "held-out" not in says(FALLING, FALLING, shared=0.3)


def test_nothing_is_said_where_nothing_is_known():
    assert of_run([], **SETTINGS) == ""
    assert says(FALLING, [None] * 10) == ""  # nothing held out
    assert of_run(rows(FALLING, FALLING)[:3], **SETTINGS) == ""
    short = [(step // 100, train, val) for step, train, val in rows(FALLING, FALLING)]
    assert of_run(short, **SETTINGS) == ""
    assert says(FALLING, [*FALLING[:9], float("nan")]) == ""
    zero = [0.0] * 10  # a single distinct character
    assert says(zero, zero, entropy=0.0) == ""
