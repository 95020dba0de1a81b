"""The device of a run: how it is chosen, what is refused, and runs that move between devices.

There need not be a GPU: what finds and uses one is replaced.
"""

import dataclasses
import json
import subprocess
import sys
import warnings

import pytest
from detached import DetachedTrainer
from fake_gpu import NAME, FakeEngine, gpu
from test_cli import TINY, run
from test_training import assert_same_run, content, go, here, log_of, model_config, new, of_kind

import charrnn
from charrnn.config import DeviceConfig, TrainConfig
from charrnn.cuda import device
from charrnn.errors import CheckpointError, ConfigError, DeviceError
from charrnn.storage.checkpoint import load
from charrnn.storage.history import CPU, History
from charrnn.training import engine
from charrnn.training.devices import Device, Work, choose, is_faster
from charrnn.training.events import Notice
from charrnn.training.recipe import complete
from charrnn.training.resume import resume
from tests.tracing import untraced

assert here  # a fixture
TF32, BF16 = (NAME, "tf32"), (NAME, "bf16")
TEXT = "hello world, hello there\n" * 40


@pytest.fixture
def fake(monkeypatch):
    return FakeEngine(monkeypatch)


def work(*, hidden_size=128, **train):
    recipe = complete(
        model_config(hidden_size=hidden_size), TrainConfig(**train), characters=10**6, distinct=60
    )
    return Work(recipe.model, recipe.train, 60)


# The choice


@pytest.mark.parametrize(
    ("weights", "streams", "faster"),
    [
        (500, 1, False),
        (2_369, 1, False),  # GRU 1 x 8: two cores need 30 microseconds a step, a GPU 17
        (2_369, 64, True),
        (11_585, 1, True),
        (264_257, 1, True),
        (264_257, 64, True),
        (20_000_000, 1024, True),
    ],
)
def test_where_a_gpu_is_faster(weights, streams, faster):
    assert is_faster(weights, streams) == faster


AUTO = DeviceConfig()


@pytest.mark.parametrize(
    ("asked", "train", "before", "place", "why"),
    [
        (AUTO, {"minutes": 1}, None, TF32, "faster"),
        (AUTO, {}, None, TF32, "faster"),
        (AUTO, {"steps": 100}, None, CPU, "the default for runs of --steps"),
        (DeviceConfig(device="auto"), {"steps": 100}, None, CPU, "the default for runs of --steps"),
        (DeviceConfig(device="cpu"), {"minutes": 1}, None, CPU, ""),
        (DeviceConfig(device="cuda"), {"steps": 100}, None, TF32, ""),
        (DeviceConfig(device="cuda:3", precision="bf16"), {"steps": 9}, None, BF16, ""),
        (DeviceConfig(precision="bf16"), {"minutes": 1}, None, BF16, "faster"),
        # A run that is resumed stays where it is.
        (AUTO, {"steps": 100}, BF16, BF16, "as before"),
        (AUTO, {"minutes": 1}, CPU, CPU, "as before"),
        (DeviceConfig(device="auto"), {"minutes": 1}, CPU, TF32, "faster"),
        (DeviceConfig(device="cuda"), {"steps": 100}, BF16, BF16, ""),
        (DeviceConfig(device="cpu"), {"steps": 100}, BF16, CPU, ""),
        (DeviceConfig(precision="tf32"), {"steps": 100}, BF16, TF32, "as before"),
    ],
)
def test_the_device_of_a_run(fake, asked, train, before, place, why):
    found, reason = choose(asked, work(**train), before)
    assert found.place == place
    assert why in reason
    assert bool(why) == bool(reason)
    if asked.device == "cuda:3":
        assert fake.looked == ["cuda:3"]


def test_a_gpu_is_not_looked_for_where_none_would_be_used(fake):
    choose(AUTO, work(steps=5))
    choose(DeviceConfig(device="cpu"), work(minutes=1))
    choose(AUTO, work(minutes=1, batch_size=1, hidden_size=4))
    assert not fake.looked


LACKS = {
    "found": ("no NVIDIA driver is installed", DeviceError),
    "unsupported": ("--cell bag is not trained on a GPU: leave out --device cuda", ConfigError),
    "megabytes": (5e3, DeviceError),
}


@pytest.mark.parametrize("lack", LACKS)
def test_what_a_gpu_cannot_is_an_error_or_else_a_reason_for_the_cpu(fake, lack):
    value, error = LACKS[lack]
    setattr(fake, lack, value)
    message = "about 5,000 MB and .* has 1,000 MB free" if lack == "megabytes" else value
    with pytest.raises(error, match=message) as caught:
        choose(DeviceConfig(device="cuda"), work(minutes=1))
    assert "\n" not in str(caught.value)
    assert "--device c" in str(caught.value)
    found, why = choose(AUTO, work(minutes=1))
    assert found == Device()
    assert why in str(caught.value)
    with pytest.raises(ConfigError, match=r"--precision bf16 needs a GPU.*--device cuda"):
        choose(DeviceConfig(precision="bf16"), work(minutes=1))
    assert choose(DeviceConfig(precision="float32"), work(minutes=1))[0] == Device()


@pytest.mark.parametrize("device", ["gpu", "", "cuda:", "cuda:x", "cuda:-1", "CPU", "cuda:1\n"])
def test_devices_that_there_are_not(device):
    with pytest.raises(ConfigError, match="none of auto, cpu, cuda, cuda:N"):
        DeviceConfig(device=device)


def test_the_cpu_computes_in_float32():
    DeviceConfig(device="cpu", precision="float32")
    with pytest.raises(ConfigError, match="--device cuda"):
        DeviceConfig(device="cpu", precision="tf32")
    with pytest.raises(ConfigError, match="float16"):
        DeviceConfig(precision="float16")


def test_threads_are_of_the_cpu():
    assert AUTO.beside(None) == AUTO
    assert AUTO.beside(2).device == "cpu"
    with pytest.raises(ConfigError, match="--threads applies only to the CPU"):
        DeviceConfig(device="cuda:1").beside(2)


# Runs


CUDA = DeviceConfig(device="cuda", precision="bf16")


def test_a_run_on_a_gpu(here, fake):
    train = TrainConfig(steps=12, batch_size=8, seq_len=5, validations=5, patience=0)
    go(new(here / "cpu", train=train))
    run = new(here / "gpu", train=train, device=CUDA)
    assert (run.plan.device, run.plan.precision, run.plan.memory_mb) == (*BF16, 100.0)
    go(run)
    assert fake.trained == [(gpu(), "bf16")]
    cpu, other = load(here / "cpu" / "last.npz").history, load(here / "gpu" / "last.npz").history
    assert (cpu.places, other.places) == ([CPU], [BF16])
    assert log_of(here / "cpu") == log_of(here / "gpu")


@pytest.fixture
def step_by_step(monkeypatch):
    """Let a run on a GPU be stopped after any step."""
    monkeypatch.setattr(DetachedTrainer, "chunk", 1)


def test_a_run_stays_on_its_gpu_and_moves_if_it_must_or_is_told_to(here, fake, step_by_step):
    train = TrainConfig(steps=12, batch_size=8, seq_len=5, validations=4, patience=0)
    go(new(here / "straight", train=train, device=CUDA))
    go(new(here / "run", train=train, device=CUDA), stop_after=3)
    assert not of_kind(go(resume(here / "run"), stop_after=6), Notice)
    assert load(here / "run" / "last.npz").history.places == [BF16]
    fake.found = "no NVIDIA driver is installed"
    run = resume(here / "run")
    assert run.plan.device == "cpu"
    (notice,) = of_kind(go(run, stop_after=8), Notice)
    assert (
        f"the CPU (no NVIDIA driver is installed) but was trained on {NAME} (bf16)"
        in notice.message
    )
    assert notice.message in [event.get("message") for event in log_of(here / "run")]
    fake.found = gpu()
    assert not of_kind(go(resume(here / "run"), stop_after=9), Notice)  # it is of the CPU now
    events = go(resume(here / "run", device=DeviceConfig(device="cuda")))
    assert f"on {NAME} (tf32) but was trained on the CPU" in of_kind(events, Notice)[0].message
    places = load(here / "run" / "last.npz").history.places
    assert places == [BF16, CPU, TF32]
    straight, moved = (content(here / name / "last.npz") for name in ("straight", "run"))
    assert straight[0] == moved[0]  # of the pretended GPU and the CPU that is the same


def test_a_run_that_names_a_gpu_which_is_gone_does_not_begin(here, fake, step_by_step):
    go(new(here / "run", device=CUDA), stop_after=3)
    fake.found = "no NVIDIA driver is installed"
    with pytest.raises(DeviceError, match="--device cuda: no NVIDIA driver"):
        resume(here / "run", device=CUDA)
    go(resume(here / "run"))  # and it is not locked


def test_a_run_of_minutes_measures_what_a_validation_costs_on_its_gpu(here, fake):
    run = new(here / "run", train=TrainConfig(minutes=1, batch_size=8), model=model_config())
    assert run.plan.device == NAME
    assert fake.models == [(gpu(), "tf32")]
    run.close()


def test_threads_of_a_run_on_the_cpu_are_as_before(here, fake):
    fake.found = "no NVIDIA driver is installed"
    for name, threads in (("one", 1), ("two", 2)):
        go(new(here / name, threads=threads))
    assert_same_run(here / "one", here / "two")


def test_a_history_without_places_is_of_the_cpu():
    history = {**dataclasses.asdict(History(step=3)), "places": []}
    for data in (history, {name: history[name] for name in history if name != "places"}):
        assert History.from_json(data).places == [CPU]
    assert History.from_json(dataclasses.asdict(History())).places == []
    stored = json.loads(json.dumps(dataclasses.asdict(History(places=[CPU, TF32]))))
    assert History.from_json(stored).places == [CPU, TF32]


@pytest.mark.parametrize(
    "places", ["cpu", ["cpu"], [["", "tf32"]], [["x" * 101, "tf32"]], [["a", "fp8"]], [[1, "tf32"]]]
)
def test_places_from_anyone(places):
    with pytest.raises((CheckpointError, ValueError)):
        History.from_json({**dataclasses.asdict(History()), "places": places})


# The commands and the interface


@pytest.fixture
def corpus(here):
    (here / "corpus.txt").write_text(TEXT)
    return here


def test_the_commands_on_a_gpu(corpus, fake):
    options = [*TINY[:-2], "--device", "cuda"]
    result = run("train", "corpus.txt", "--out", "run", *options)
    assert result.exit_code == 0, result.output
    assert f"{NAME}, tf32" in result.output
    assert f"{NAME} (tf32)" in run("info", "run").stdout
    plan = json.loads(run("train", "corpus.txt", "--plan", "--json", "--minutes", "1").stdout)
    assert (plan["device"], plan["reasons"]["device"]) == (NAME, "faster than the CPU")
    evaluated = [
        json.loads(run("eval", "--model", "run", "--json", *more).stdout)["total_nats"]
        for more in ([], ["--device", "cuda:1"], ["--device", "auto"])
    ]
    assert evaluated[0] == evaluated[1] == evaluated[2]
    assert [precision for _, precision in fake.models[1:]] == ["float32", "float32"]
    drawn = [
        run("sample", "--model", "run", "-n", "40", "--random-seed", "1", "--length", "9", *more)
        for more in ([], ["--device", "cuda"], ["--device", "auto"])
    ]
    assert drawn[0].exit_code == 0, drawn[0].output
    assert drawn[0].stdout == drawn[1].stdout == drawn[2].stdout
    assert len(fake.models) == 5


@pytest.mark.parametrize("job", ["train", "sample"])
def test_bench_on_a_gpu(fake, job):
    small = ["--hidden-size", "16", "--batch-size", "32", "--seconds", "0.01", "--job", job]
    table = run("bench", "--device", "cuda", "--precision", "bf16", *small)
    assert f"{NAME}, bf16" in table.stdout
    assert "threads" not in table.stdout
    found = json.loads(run("bench", "--device", "auto", *small, "--json").stdout)
    assert (found["blas_kernel"], found["precision"]) == (NAME, "tf32")
    assert (found["threads"], found["peak_gflops"], found["peak_memory_mb"]) == (1, 1000.0, 0.0)
    assert found["chars_per_second"] > 0
    fake.found = "no NVIDIA driver is installed"
    assert json.loads(run("bench", "--device", "auto", *small, "--json").stdout)["threads"] >= 1


REFUSED = {
    "--threads applies only to the CPU": [
        ["train", "corpus.txt", "--threads", "2", "--device", "cuda"],
        ["eval", "--threads", "2", "--device", "cuda"],
        ["sample", "-n", "9", "--threads", "2", "--device", "cuda"],
        ["bench", "--threads", "2", "--device", "cuda"],
    ],
    "--precision bf16 needs a GPU": [
        ["train", "corpus.txt", "--precision", "bf16", "--steps", "2"],
        ["train", "corpus.txt", "--precision", "bf16", "--device", "cpu"],
        ["train", "corpus.txt", "--precision", "bf16", "--threads", "2"],
        ["bench", "--precision", "bf16"],
    ],
    "give -n 1000": [["sample", "--device", "cuda"]],
    "give --batch-size": [["bench", "--job", "sample", "--device", "cuda"]],
    "--dynamic runs on the CPU only": [["eval", "--dynamic", "--device", "cuda"]],
    "--adapt runs on the CPU only": [["eval", "--adapt", "counts", "--device", "cuda"]],
    "none of auto, cpu": [["train", "corpus.txt", "--device", "tpu"]],
}


def test_what_does_not_go_together(corpus, fake):
    run("train", "corpus.txt", *TINY)
    for message, words in [(each, words) for each in REFUSED for words in REFUSED[each]]:
        result = run(*words)
        assert (result.exit_code, result.stdout) == (2, ""), words
        errors = [line for line in result.stderr.splitlines() if "error:" in line]
        assert len(errors) == 1
        assert message in errors[0]


def test_the_interface_takes_a_device(here, fake):
    options = {"steps": 5, "hidden_size": 8, "num_layers": 1}
    run = charrnn.train(text=TEXT, device="cuda", precision="bf16", **options)
    assert run.plan.device == NAME
    model = run.model
    assert model.checkpoint.history.places == [BF16]
    texts = model.sample(num_samples=3, length=9, random_seed=1)
    assert model.sample(num_samples=3, length=9, random_seed=1, device="cuda") == texts
    assert model.evaluate(device="cuda").total_nats == model.evaluate().total_nats
    names = charrnn.train(
        text="ab\nba\nabba\n" * 40, device="cuda", items="line", steps=5, hidden_size=8
    ).model
    items = names.sample(num_samples=40, random_seed=1)
    assert names.sample(num_samples=40, random_seed=1, device="auto") == items
    with pytest.raises(ConfigError, match="-n 1000"):
        model.sample(device="cuda")
    with pytest.raises(ConfigError, match="threads"):
        charrnn.train(text=TEXT, device="cuda", threads=2)
    charrnn.train(text=TEXT, device="cuda", out="run", **options).model.save("x.npz")
    again = charrnn.resume("run", steps=7, device="cpu")
    assert f"was trained on {NAME} (tf32) before" in " ".join(
        event.message for event in again if event.kind == "notice"
    )
    assert charrnn.load("run/last.npz").checkpoint.history.places == [TF32, CPU]


def test_counts_are_mixed_on_the_gpu_that_trained(here, fake):
    options = {"steps": 5, "hidden_size": 8, "counts": True}
    checkpoint = charrnn.train(text=TEXT, device="cuda", **options).model.checkpoint
    assert len(fake.models) == 1  # fitted and scored there
    assert any(checkpoint.counting.weights)


def test_labels_are_scored_on_a_gpu(here, fake):
    text = "".join(f"{'odd' if n % 2 else 'even'}\t{n}\n" for n in range(100, 500))
    model = charrnn.train(text=text, predict="label", steps=5, hidden_size=8, device="cuda").model
    fake.models.clear()
    assert model.evaluate(device="cuda").nats == model.evaluate().nats
    assert len(fake.models) == 1


def test_auto_is_the_cpu_where_the_engine_has_no_such_model(here, fake, monkeypatch):
    def refuse(model, gpu, precision):
        raise ConfigError("no such model")

    model = charrnn.train(text=TEXT, steps=5, hidden_size=32).model
    monkeypatch.setattr(engine, "gpu_model", refuse)
    assert model.evaluate(device="auto").total_nats == model.evaluate().total_nats
    with pytest.raises(ConfigError, match="no such model"):
        model.evaluate(device="cuda")


# Real processes, with whatever this machine has


def python(*words):
    return subprocess.run(
        [sys.executable, *words], env=untraced(), capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "words",
    [
        ["train", "corpus.txt", "--steps", "3"],
        ["bench"],
    ],
)
def test_no_such_gpu_is_one_line(corpus, words):
    result = python("-m", "charrnn", *words, "--device", "cuda:999")
    assert (result.returncode, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: --device cuda:999: ")
    assert "--device cpu" in line


def test_looking_for_a_gpu_imports_nothing_where_there_is_no_driver(here, monkeypatch):
    program = """
import sys
from charrnn.cuda import device
device.has_driver = lambda: False
from charrnn.training import engine
assert isinstance(engine.usable("cuda"), str)
assert "cupy" not in sys.modules
assert [name for name in sys.modules if name.startswith("charrnn.cuda.")] == ["charrnn.cuda.device"]
"""
    result = python("-W", "error", "-c", program)
    assert (result.returncode, result.stderr) == (0, "")


def test_looking_for_a_gpu_warns_of_nothing(monkeypatch):
    def usable(device):
        warnings.warn("CuPy may not function correctly because several are installed", stacklevel=1)
        return "CuPy cannot use it"

    monkeypatch.setattr(device, "usable", usable)
    assert engine.usable("cuda") == "CuPy cannot use it"


def test_training_on_the_cpu_does_not_import_the_gpu_engine(corpus):
    program = """
import sys, charrnn
list(charrnn.train("corpus.txt", steps=3, hidden_size=8))
assert not [name for name in sys.modules if name.startswith("charrnn.cuda")]
"""
    result = python("-W", "error", "-c", program)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_gpu_that_has_other_memory_free_is_the_same():
    """One backend serves all that a process does on it."""
    assert gpu(free=1) == gpu(free=2)
    assert len({gpu(free=1), gpu(free=2), gpu(index=1)}) == 2
