"""Runs that are repeated from the settings that they wrote, and runs from a file of one's own."""

import tomllib
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from test_cli import TEXT, run

import charrnn

SMALL = ["--hidden-size", "8", "--threads", "1", "--batch-size", "4"]
LABELS = "".join(f"{'good' if n % 3 else 'bad'}\tThis is text {n}\n" for n in range(90))
TAGS = "".join(f"a{n}\tX\nword\tY\n\n" for n in range(40))
NAMES = "".join(f"Name{n}\n" for n in range(60))
POEMS = "".join(f"poem {n}\nof two lines\n%\n" for n in range(60))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Be in a folder of one's own, with texts."""
    monkeypatch.chdir(tmp_path)
    texts = {"book": TEXT, "held": TEXT.upper(), "labels": LABELS, "tags": TAGS, "names": NAMES}
    for name, text in {**texts, "poems": POEMS}.items():
        Path(f"{name}.txt").write_text(text)
    return tmp_path


def done(*words, **options):
    result = run(*words, **options)
    assert result.exit_code == 0, result.output
    return result


def weights(folder):
    """Return the SHA-256 of the weights of both states of a run."""
    sums = {}
    for name in ("best.npz", "last.npz"):
        with np.load(Path(folder) / name) as arrays:
            names = [key for key in arrays.files if key not in ("meta", "metadata")]
            digest = sha256()
            for key in sorted(names):
                if arrays[key].dtype == np.float32:
                    digest.update(arrays[key].tobytes())
            sums[name] = digest.hexdigest()
    return sums


def settings(folder):
    return tomllib.loads((Path(folder) / "run.toml").read_text())


@pytest.mark.parametrize(
    "words",
    [
        "book.txt --steps 12",
        "book.txt --epochs 2 --random-seed 3 --val-fraction 0",
        "book.txt --steps 6 --unit byte --cell rnn --nonlinearity relu --members 2",
        "book.txt --steps 6 --cell window --optimizer adamw --split-mode strided",
        "book.txt --steps 6 --val held.txt --validations 3 --patience 2",
        "book.txt --steps 6 --counts --reset 0.5 --dropout 0.1 --schedule plateau",
        "names.txt --steps 6 --lines --split-key 5",
        "poems.txt --steps 6 --items %",
        "labels.txt --steps 6 --prompted",
        "labels.txt --steps 6 --predict label",
        "labels.txt --steps 6 --predict label --no-ngrams",
        "tags.txt --steps 6 --predict tags",
        "names.txt --steps 6 --predict case",
    ],
)
def test_a_run_is_repeated_to_equal_bits(words):
    done("train", *words.split(), *SMALL, "--out", "runs/first")
    done("train", "--config", "runs/first/run.toml", "--out", "runs/again")
    assert weights("runs/again") == weights("runs/first")
    assert settings("runs/again") == settings("runs/first")


def test_what_was_decided_is_written_with_the_reason():
    done("train", "book.txt", "--steps", "6", *SMALL, "--out", "runs/first")
    text = Path("runs/first/run.toml").read_text()
    found = settings("runs/first")
    assert found["corpus"] == ["../../book.txt"]
    assert found["hidden-size"] == 8
    assert found["cell"] == "gru"
    assert 'cell = "gru"  # lowest loss in the same time\n' in text
    assert "\nhidden-size = 8\n" in text
    assert "out" not in found
    assert "validations" not in found
    assert "\n# validations = " in text


def test_every_setting_of_training_is_written_or_has_no_effect():
    done("train", "book.txt", "--steps", "6", *SMALL, "--out", "runs/first")
    text = Path("runs/first/run.toml").read_text()
    checkpoint = charrnn.load("runs/first").checkpoint
    decided = checkpoint.settings.to_json() | checkpoint.validation.to_json()
    decided |= checkpoint.architecture.to_json() | checkpoint.text.to_json()
    missing = {name for name in decided if f"{name.replace('_', '-')} = " not in text}
    assert missing == {
        *("minutes", "items", "predict", "prompted", "columns", "column", "ngrams", "counts"),
        *("nonlinearity", "context", "embedding_size", "split_key"),
        *("shards", "item_end", "val_files", "spaced", "head", "num_labels", "apart_at_end"),
    }


def test_a_run_of_minutes_has_its_length():
    run_ = charrnn.train("book.txt", minutes=0.001, hidden_size=8, threads=1, out="runs/first")
    for _ in run_:
        pass
    assert settings("runs/first")["minutes"] == 0.001
    assert "steps" not in settings("runs/first")


def test_options_override_the_file():
    done("train", "book.txt", "--steps", "6", *SMALL, "--out", "runs/first")
    words = "--minutes 0.001 --hidden-size 4 --val held.txt --cell rnn"
    done("train", "names.txt", "--config", "runs/first/run.toml", *words.split(), "--out", "other")
    found = settings("other")
    assert found["corpus"] == ["../names.txt"]
    assert found["val"] == ["../held.txt"]
    assert found["minutes"] == 0.001
    assert found["hidden-size"] == 4
    assert found["batch-size"] == settings("runs/first")["batch-size"] == 4
    assert not {"steps", "val-fraction", "split-mode"} & found.keys()


@pytest.mark.parametrize("words", ["--lines", "--unit byte", "--prompted", "--predict case"])
def test_a_setting_that_was_chosen_for_another_kind_of_run_gives_way(words):
    Path("pairs.txt").write_text(LABELS)
    done("train", "pairs.txt", "--steps", "3", *SMALL, "--out", "runs/first")
    done("train", "--config", "runs/first/run.toml", *words.split(), "--out", "other")


def test_a_learning_rate_gives_way_to_another_optimizer():
    done("train", "book.txt", "--steps", "3", *SMALL, "--out", "runs/first")
    done("train", "--config", "runs/first/run.toml", "--optimizer", "adam", "--out", "other")
    done("train", "book.txt", "--steps", "3", "--optimizer", "adam", *SMALL, "--out", "alone")
    of_optimizer = "learning-rate", "weight-decay"
    other, alone = ([settings(run)[key] for key in of_optimizer] for run in ("other", "alone"))
    assert other == alone


@pytest.mark.parametrize("words", ["book.txt", "book.txt --val held.txt", "names.txt --lines"])
def test_nothing_may_be_held_out_in_a_run_like_another_one(words):
    done("train", *words.split(), "--steps", "3", *SMALL, "--out", "runs/first")
    done("train", "--config", "runs/first/run.toml", "--val-fraction", "0", "--out", "other")
    assert settings("other")["val-fraction"] == 0
    assert "patience" not in settings("other")


def test_a_run_from_standard_input_is_repeated_from_its_copy():
    done("train", "-", "--steps", "6", *SMALL, "--out", "runs/first", input=TEXT)
    assert settings("runs/first")["corpus"] == ["stdin.gz"]
    done("train", "--config", "runs/first/run.toml", "--out", "runs/again")
    assert weights("runs/again") == weights("runs/first")


def test_a_run_that_starts_from_a_model_is_repeated():
    done("train", "book.txt", "--steps", "6", *SMALL)
    done("train", "names.txt", "--steps", "6", "--init-from", "book", *SMALL, "--out", "tuned")
    assert settings("tuned")["init-from"] == "../runs/book/best.npz"
    done("train", "--config", "tuned/run.toml", "--out", "again")
    assert weights("again") == weights("tuned")


def test_init_from_may_stand_beside_a_file():
    done("train", "book.txt", "--steps", "6", *SMALL)
    result = done("train", "--config", "runs/book/run.toml", "--init-from", "book")
    assert "runs/book-2" in result.stderr


def test_a_file_is_found_from_another_folder(here, monkeypatch):
    Path("run.toml").write_text('corpus = "book.txt"\nsteps = 3\nhidden-size = 8\nout = "made"\n')
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    done("train", "--config", "../run.toml")
    assert (here / "made" / "best.npz").exists()


def test_a_resumed_run_keeps_the_file_of_its_beginning():
    done("train", "book.txt", "--steps", "6", *SMALL)
    before = Path("runs/book/run.toml").read_text()
    done("train", "--resume", "book", "--steps", "8")
    assert Path("runs/book/run.toml").read_text() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--config run.toml --resume book", "--resume continues a run with its own settings, and"),
        ("--config run.toml", "give a text to train on: charrnn train corpus.txt"),
        ("book.txt --config run.toml --hidden-size 0", "--hidden-size 0 is out of range"),
        (
            "book.txt --config run.toml --weight-dropout 0.1",
            "--weight-dropout needs a recurrent cell: --cell window has no recurrent weights "
            "(cell: from run.toml)",
        ),
        ("book.txt --config no.toml", "--config no.toml cannot be read: No such file"),
    ],
)
def test_what_does_not_go_together_is_told_in_one_line(words, said):
    Path("run.toml").write_text('cell = "window"\nsteps = 3\n')
    result = run("train", *words.split())
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {said}")
    assert result.stderr.count("\n") == 1


def test_a_text_that_a_program_gave_is_repeated_too():
    for _ in charrnn.train(text=TEXT, steps=6, hidden_size=8, threads=1, out="first"):
        pass
    done("train", "--config", "first/run.toml", "--out", "again")
    assert weights("again") == weights("first")
