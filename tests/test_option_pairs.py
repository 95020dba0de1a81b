"""Every two options of every command go together, or are refused in one line that names them.

A command is run up to where its work would begin: what it reads and computes is replaced. The
options are those that the commands have; what is refused is a table in `option_values.py`.
"""

from pathlib import Path
from types import SimpleNamespace

import pytest
from option_values import ENOUGH, LABELLED, NEEDS, REFUSED, VALUES
from test_cli import run

import charrnn.training.run  # noqa: F401  # before what it imports is replaced
from charrnn.api.model import Model
from charrnn.cli.app import COMMANDS, load_command
from charrnn.errors import ConfigError
from charrnn.storage.checkpoint import Checkpoint, load
from charrnn.training import engine

DATA = Path(__file__).parent / "data"
FOUND = Path("runs/run/best.npz")
WORK = (
    "charrnn.api.evaluating.evaluate_checkpoint",
    "charrnn.api.labels.read_named",
    "charrnn.api.report.report",
    "charrnn.benchmark.benchmark",
    "charrnn.cli.commands.gradients._of_models",
    "charrnn.cli.commands.info._to_json",
    "charrnn.cli.commands.info._write",
    "charrnn.cli.commands.predict._files",
    "charrnn.cli.commands.predict._hint",
    "charrnn.cli.commands.runs._compare",
    "charrnn.cli.commands.runs._list",
    "charrnn.cli.commands.sample._write_items",
    "charrnn.evaluation.gradients.untrained",
    "charrnn.evaluation.lines.models.Models",
    "charrnn.exports.check_target",
    "charrnn.sampling.drawing.generate",
    "charrnn.text.remove_cache",
    "charrnn.training.new._read",
    "charrnn.training.resume.resume",
)
"""What the commands begin with once they have taken their options."""


class Begun(Exception):
    """A command has taken its options."""


def begin(*_, **__):
    raise Begun


@pytest.fixture(scope="module")
def of_text():
    return load(DATA / "format-3.npz")


@pytest.fixture(scope="module")
def of_items():
    return load(DATA / "format-2-lines.npz")


@pytest.fixture(scope="module")
def of_labels():
    return load(DATA / "format-4.npz")


@pytest.fixture
def asked(monkeypatch, of_text, of_items, of_labels, tmp_path):
    """Replace what the commands do; the model is of the kind that the ``options`` are for."""
    asked = SimpleNamespace(options=())

    def checkpoint(*_):
        kinds = {"--novel": of_items, "--columns": of_labels}
        return next((kinds[option] for option in asked.options if option in kinds), of_text)

    def labeller(*_, **__):
        kinds = [LABELLED[option] for option in asked.options if option in LABELLED]
        return SimpleNamespace(task=SimpleNamespace(predict=kinds[0] if kinds else "label"))

    def check_kind(_, __, needed, option=""):
        if labeller().task.predict not in needed:
            raise ConfigError(f"{option} does not apply to this model")

    monkeypatch.chdir(tmp_path)
    Path("run.toml").touch()
    for work in WORK:
        monkeypatch.setattr(work, begin)
    for name, stub in {
        "charrnn.api.loading.load": lambda *_: Model(checkpoint(), FOUND),
        "charrnn.cli.commands.predict.check_kind": check_kind,
        "charrnn.cli.commands.predict._check_files": lambda _: None,
        "charrnn.cli.commands.sample._check_prompt": lambda *_: None,
        "charrnn.cli.commands.sample._seed_of": lambda *_: "me",
        "charrnn.evaluation.labels.labeller.Labeller": labeller,
        "charrnn.sampling.items.full_prompt": lambda _, prompt: prompt or "",
        "charrnn.storage.folder.open_model": lambda *_: (FOUND, checkpoint()),
        "charrnn.text.finding.check_exist": lambda _: None,
    }.items():
        monkeypatch.setattr(name, stub)
    monkeypatch.setattr(Checkpoint, "with_counts", lambda self, network: network)
    monkeypatch.setattr(engine, "gpu_model", lambda model, *_: model)
    monkeypatch.setattr(engine, "usable", lambda device: SimpleNamespace(name="GPU", free=1e12))
    return asked


def options_of(command):
    """Return the names of the options of a command, and the form of its argument."""
    return {
        str(param.metavar)
        if param.param_type_name == "argument"
        else next(name for name in (*param.opts, *param.secondary_opts) if name[1] == "-")
        for param in load_command(command).params
    }


def words_of(command, *options):
    """Return the words that use some options, with what these need, by the options."""
    values, needs = VALUES[command], NEEDS.get(command, {})
    used = {option: values[option] for option in options}
    argument = next((name for name in values if not name.startswith("--")), "")
    for option in options:
        need, _, instead = needs.get(option, "").partition(" / ")
        name = need.split()[0] if need.startswith("--") else argument
        if need and not used.keys() & {name, *instead.split()}:
            used[name] = need
    if command in ENOUGH and not used.keys() & ENOUGH[command]:
        used[argument] = values[argument]
    return used


def refusal(asked, command, *options):
    """Return what a command says against some options; empty where it would begin."""
    asked.options = options
    used = words_of(command, *options)
    done = run(command, *" ".join(used.values()).split())
    if isinstance(done.exception, Begun):
        return ""
    assert done.exit_code in (1, 2), (done.output, done.exception)
    said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(said) == 1
    assert done.stderr.endswith(f"{said[0]}\n")
    names = [name if name.startswith("--") else used[name].split()[0] for name in used]
    assert any(name in said[0] for name in names if name in options or name.startswith("--")), said
    return said[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_table_has_each_option(command):
    assert set(VALUES[command]) == options_of(command) - {"--help"}


@pytest.mark.parametrize(
    ("command", "option"),
    [(command, option) for command in COMMANDS for option in VALUES[command]],
)
def test_each_pair_goes_together_or_is_refused(asked, command, option):
    assert refusal(asked, command, option) == ""
    names = list(VALUES[command])
    others = names[names.index(option) + 1 :]
    refused = {other for other in others if refusal(asked, command, option, other)}
    assert refused == set(REFUSED.get(command, {}).get(option, "").split(", ")) - {""}
