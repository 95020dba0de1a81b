"""What ``docs/architecture.md`` says of the folders is so."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOC = (ROOT / "docs" / "architecture.md").read_text("utf-8").split("## Folders")[1]


def test_the_layers_are_those_of_the_import_contract():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    (contract,) = tools["importlinter"]["contracts"]
    shown = DOC.split("```text\n")[1].split("\n```")[0].splitlines()
    assert shown == [layer.replace("charrnn.", "") for layer in contract["layers"]]


def test_every_folder_and_module_has_a_paragraph():
    package = ROOT / "charrnn"
    folders = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    modules = {path.name for path in package.glob("[!_]*.py")}
    assert set(re.findall(r"^\*\*`([\w./]+)`\*\* ", DOC, re.M)) == folders | modules
