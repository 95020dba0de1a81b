"""What the command line says of words that it does not know, or values that do not fit."""

import pytest
from test_cli import TEXT, here, run, trained  # noqa: F401

from charrnn.cli.app import COMMANDS, load_command
from charrnn.config import other_names
from charrnn.config.similar import similar


def refused(*words):
    """Run a command that must be refused in one line; return what follows ``error: ``."""
    done = run(*words)
    assert done.exit_code == 2, done.output
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("error: ").strip()


def failed(*words):
    """Run a command that must fail in one line; return what follows ``error: ``."""
    done = run(*words)
    assert done.exit_code == 1, done.output
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("error: ").strip()


def options_of(command):
    params = [param for param in load_command(command).params if param.param_type_name == "option"]
    return {option for param in params for option in (*param.opts, *param.secondary_opts)}


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("train x --lr 1", "--learning-rate"),
        ("train x --learning_rate 1", "--learning-rate"),
        ("train x --layers-num 3", "--num-layers"),
        ("train x --epoch 3", "--epochs"),
        ("train x --batch 3", "--batch-size"),
        ("train x --hidden 3", "--hidden-size"),
        ("train x -rnn_size 3", "--hidden-size"),
        ("train x --max_grad", "--max-grad-norm"),
        ("train x --gpu", "--device cuda"),
        ("train x --lstm", "--cell lstm"),
        ("train x --model lstm", "--init-from or --cell"),
        ("train x --seed 4", "--random-seed"),
        ("train x --optimzer sgd", "--optimizer"),
        ("sample --prime x", "--seed"),
        ("sample --temp 1", "--temperature"),
        ("sample --max_new_tokens 3", "--length"),
        ("eval --bpc", "--bits-per-char"),
        ("eval --ppl", "--perplexity"),
        ("predict --topp 1", "--top"),
        ("bench --hidden_size", "--hidden-size"),
        ("trian", "train"),
        ("sample --n 3", "--num-samples"),
        ("sample -num_samples 3", "--num-samples"),
        ("sample -n 2 -temperature 1", "--temperature"),
        ("report -output x", "--output"),
        ("train x -quiet", "--quiet"),
        ("generate", "sample"),
    ],
)
def test_an_unknown_option_names_the_right_one(words, meant):
    assert f"; did you mean {meant}?: see charrnn" in refused(*words.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("train --data x", "name it without an option, charrnn train CORPUS"),
        ("info --model x", "name it without an option, charrnn info"),
        ("gradients --checkpoint x", "name it without an option, charrnn gradients RUN|FILE"),
        ("sample --steps 5", "charrnn train has --steps"),
        ("sample --lr 5", "charrnn train has --learning-rate"),
        ("--seed x", "charrnn train has --random-seed: see charrnn --help"),
        ("train x --no-lines", "did you mean --lines"),
        ("train x --ngrams", "did you mean --no-ngrams?"),
        ("report --baselines", "did you mean --no-baselines?"),
        ("eval --no-exact", "--exact"),
        ("help", "no such command: help; did you mean charrnn --help?"),
        ("help train", "did you mean charrnn train --help?"),
        ("resume garden", "did you mean charrnn train --resume garden?"),
        ("sample -n0", "--num-samples 0 is out of range"),
        ("sample --stop -quiet -n 0", "--num-samples 0 is out of range"),
        ("bench stray", "unexpected argument: stray: see charrnn bench --help"),
        ("bench --seconds", "--seconds needs a value: see charrnn bench --help"),
        ("eval --json=3", "--json takes no value: see charrnn eval --help"),
    ],
)
def test_what_is_elsewhere_or_malformed_is_explained(words, said):
    assert said in refused(*words.split())


@pytest.mark.parametrize(
    "words", ["train x --frobnicate", "--frobnicate", "train x -x", "train x --verbose"]
)
def test_what_is_like_nothing_guesses_nothing(words):
    said = refused(*words.split())
    assert said.startswith(f"no such option: {words.split()[-1]}: see charrnn")


def test_a_forgotten_command_is_train(tmp_path):
    (tmp_path / "corpus.txt").write_text("x")
    said = refused(tmp_path / "corpus.txt")
    assert f"; did you mean charrnn train {tmp_path / 'corpus.txt'}?" in said
    assert "did you mean" not in refused(tmp_path / "missing.txt")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("train x --cell LSTM", "--cell 'LSTM' is none of rnn, lstm, gru, window, bag; did you "),
        ("train x --cell lsm", "did you mean lstm?"),
        ("train x --unit bytes", "did you mean byte?"),
        ("train x --unit characters", "did you mean char?"),
        ("train x --optimizer Adam", "did you mean adam?"),
        ("train x --predict labels", "did you mean label?"),
        ("sample --unknown x", "--unknown 'x' is none of error, skip"),
        ("score x --top 1 --by chars", "--by 'chars' is none of both, line, character"),
        ("runs --sort losses", "--sort 'losses' is none of age, name, loss, size"),
        ("score x --top 0", "--top 0 is out of range: it must be at least 1"),
        ("score x --top abc", "--top 'abc' is not a whole number: it must be at least 1"),
        ("predict x --top 0", "--top 0 is out of range: it must be at least 1"),
        ("gradients --hidden-size 0", "--hidden-size 0 is out of range: it must be at least 1"),
        ("gradients --hidden-size x", "--hidden-size 'x' is not a whole number: it must be"),
    ],
)
def test_values_are_refused_in_one_shape(words, said):
    assert said in refused(*words.split())


def test_a_word_is_similar_to_what_it_begins_contains_or_misspells():
    known = ["hidden-size", "batch-size", "epochs", "max-epochs"]
    assert similar("hidden", known) == ["hidden-size"]
    assert similar("Batch_Size", known) == ["batch-size"]
    assert similar("epoch", known) == ["epochs"]
    assert similar("size", known) == ["hidden-size", "batch-size"]
    assert similar("epohcs", known)[0] == "epochs"
    assert similar("zzz", known) == []


def test_every_other_name_is_of_an_option_that_there_is():
    every = set().union(*map(options_of, COMMANDS)) | {"--version"}
    assert {option.split()[0] for option in other_names.OPTIONS} <= every
    assert set(other_names.COMMANDS) == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_option_has_a_form_that_changes_nothing(command):
    options = options_of(command)
    assert not {f"--no-{option[2:]}" for option in options} & options


# A run in place of --model


@pytest.fixture
def mine(here, monkeypatch, tmp_path):  # noqa: F811
    """Be where the run ``corpus`` is, and other files of one's own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").symlink_to(here / "runs")
    (tmp_path / "text").write_text(TEXT)
    return tmp_path


@pytest.mark.parametrize("name", ["corpus", "runs/corpus", "runs/corpus/best.npz"])
@pytest.mark.parametrize(
    "words", ["sample {} --length 2", "eval {} text --nats", "score {} text --top 1"]
)
def test_a_run_is_named_as_info_takes_it(mine, name, words):
    done = run(*words.format(name).split())
    assert done.exit_code == 0, done.output
    assert done.stderr.startswith("model: runs/corpus/best.npz\n")
    with_option = words.replace(" {}", "") + " --model {}"
    if "sample" not in words:
        assert run(*with_option.format(name).split()).stdout == done.stdout


def test_a_run_alone_is_scored_on_its_own_text(mine):
    (mine / "corpus.txt").write_text(TEXT)
    assert "100" in run("eval", "corpus").stdout


def test_predict_takes_a_run_too(mine):
    assert run("predict", "corpus", "text").stderr == (
        "error: runs/corpus predicts the next character: name another run with --model, or train "
        "one with --predict label, tags, spaces, case, marks or accents\n"
    )


def test_a_file_of_that_name_is_the_text(mine):
    (mine / "corpus").write_text(TEXT)
    scored, whole = run("score", "corpus"), run("score", "text")
    assert scored.exit_code == 0
    assert scored.stdout == whole.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("sample corpus --model corpus", "corpus and --model corpus both name the model"),
        ("train corpus", "corpus is a model, not a text: --resume corpus continues it"),
        ("train runs/corpus", "runs/corpus is a model, not a text"),
        ("export corpus", "name the file to write after the run: charrnn export corpus "),
        (
            "sample --unknown skip",
            "--unknown skip applies only to the characters of --seed or --prompt",
        ),
    ],
)
def test_a_run_where_it_cannot_be_names_the_right_option(mine, words, said):
    assert refused(*words.split()).startswith(said)


@pytest.mark.parametrize(
    "words", ["sample corpsu", "info corpsu", "eval --model corpsu", "train --resume corpsu"]
)
def test_a_misspelled_run_is_named(mine, words):
    assert failed(*words.split()).endswith("; did you mean corpus?")
    assert failed(*words.replace("corpsu", "x").split()).endswith(
        "; list the runs with charrnn runs"
    )


@pytest.mark.parametrize("words", ["eval corpsu", "score corpsu --text x", "predict corpsu -"])
def test_a_misspelled_run_before_files_is_named(mine, words):
    said = refused(*words.split())
    assert said == "corpsu is neither a file nor a run; did you mean corpus?"


# --quiet


@pytest.mark.parametrize(
    "words",
    [
        "train text --steps 3 --hidden-size 4 --threads 1 --out run",
        "sample --length 2 --device cpu",
        "eval text",
        "score text",
        "export page.html",
        "bench --seconds 0.01 --hidden-size 4 --batch-size 2 --seq-len 2 --threads 1",
        "gradients --hidden-size 4 -o curves.svg",
    ],
)
def test_quiet_says_nothing_but_results(mine, words, monkeypatch):
    monkeypatch.setattr("charrnn.benchmark.PEAK_SIZE", 32)
    done = run(*words.split(), "--quiet")
    assert (done.exit_code, done.stderr) == (0, "")
    if words.startswith("export"):
        (mine / "page.html").unlink()
    if not words.startswith("train"):
        assert run(*words.split()).stderr != ""


def test_quiet_says_errors(mine):
    assert run("eval", "missing", "-q").stderr.startswith("error: missing")


# What is no text


ZIPPED = b"PK\x03\x04" + bytes(26)
FILES = {
    "book.pdf": (b"%PDF-1.7", "a PDF, not text: extract its text first, as with pdftotext"),
    "book.epub": (ZIPPED + b"mimetypeapplication/epub+zip", "an EPUB book, not text: extract "),
    "book.odt": (
        ZIPPED + b"mimetypeapplication/vnd.oasis.opendocument.text",
        "an OpenDocument file, not text: extract its text first, as with pandoc FILE ",
    ),
    "book.docx": (ZIPPED + b"[Content_Types].xml", "an Office document (.docx, .xlsx or .pptx)"),
    "book.zip": (
        ZIPPED + b"book.txt",
        "a zip archive, not text: unpack it first, and name the files",
    ),
    "book.doc": (b"\xd0\xcf\x11\xe0", "an old Office document (.doc or .xls), not text: extract "),
    "book.rtf": (b"{\\rtf1 hello", "a document in Rich Text Format, not text: extract its text "),
    "book.jpg": (b"\xff\xd8\xff", "a picture, not text: name a text file"),
    "book.gif": (b"GIF89a", "a picture, not text: name a text file"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_kind_says_what_to_do(name, tmp_path):
    head, said = FILES[name]
    (tmp_path / name).write_bytes(head + b"\0" * 400)
    assert said in failed("train", tmp_path / name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("http://example.org/a.txt", "download it first, as in curl -L -o text.txt 'http://"),
        ("https://example.org/?x=1", "URLs are not read; download it first"),
        ("corpsu.txt", "no such file or folder: did you mean corpus.txt?"),
        ("nothing-like-it", "no such file or folder: check the name"),
        ("no/such/folder.txt", "no such file or folder: check the name"),
    ],
)
def test_a_name_that_no_file_has_says_what_to_do(name, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus.txt").write_text("x")
    assert said in failed("train", name)


@pytest.mark.parametrize("more", [["--predict", "label"], ["--init-from", "corpus"]])
def test_binary_data_is_not_to_be_read_as_bytes_where_that_is_refused(mine, more):
    (mine / "data").write_bytes(bytes(range(256)) * 8)
    said = failed("train", "data", *more)
    assert said.endswith("read it with --errors replace or --errors skip")
    assert failed("train", "data").endswith("--errors skip or --unit byte")


def test_the_name_of_a_division_is_proposed(mine):
    said = refused("train", "text", "--items", "lines")
    assert "--items 'lines' is not in the text; did you mean line?: give the mark" in said


# Devices


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("cuda:99999", "; GPUs have numbers from 0 to 999, which nvidia-smi"),
        ("CUDA", "; did you mean cuda?"),
        ("gpu", "; did you mean cuda?"),
        ("mps", "; only NVIDIA GPUs are supported"),
    ],
)
def test_a_device_that_there_is_not(device, said):
    assert said in refused("train", "x", "--device", device)


def test_one_sample_on_a_gpu_says_what_to_give(mine):
    done = run("sample", "-n", "1", "--device", "cuda")
    assert done.exit_code == 2
    assert "give -n 1000, or leave --device out" in done.stderr


def test_a_run_that_is_resumed_says_why_it_is_on_the_cpu(mine):
    words = ["--steps", "3", "--hidden-size", "4", "--threads", "1", "--out", "run"]
    assert run("train", "text", *words).exit_code == 0
    said = run("train", "--resume", "run", "--steps", "4", "--device", "auto").stderr
    reason = "the default for runs of --steps or --epochs; --device cuda uses a GPU"
    assert f"device      CPU: {reason}\n" in said


def test_patience_without_a_held_out_part_is_said_to_have_no_effect(mine):
    assert refused("train", "text", "--val-fraction", "0", "--patience", "3") == (
        "--val-fraction 0 holds nothing out, so --patience has no effect: leave one out"
    )


def test_patience_is_refused_where_a_run_holds_nothing_out(mine):
    words = ["--steps", "2", "--hidden-size", "4", "--threads", "1", "--val-fraction", "0"]
    assert run("train", "text", *words, "--out", "run").exit_code == 0
    said = failed("train", "--resume", "run", "--steps", "3", "--patience", "3")
    assert said == "--patience 3 has no effect, since run holds nothing out: leave it out"
    assert run("train", "--resume", "run", "--steps", "3", "--patience", "0").exit_code == 0
