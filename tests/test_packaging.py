"""What is installed: the wheel and the source archive hold more than Python's files."""

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import charrnn

ROOT = Path(__file__).parent.parent
KERNELS = ROOT / "charrnn" / "cuda" / "kernels"
WEB = ROOT / "charrnn" / "exports" / "page" / "web"
PAGE = {f"charrnn/views/report/page.{kind}" for kind in ("css", "js")}


def build(kind, folder):
    program = (
        "import sys\nfrom hatchling.build import build_sdist, build_wheel\n"
        f"print(build_{kind}(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return folder / done.stdout.split()[-1]


def test_archives_hold_kernels_and_the_parts_of_pages(tmp_path):
    pytest.importorskip("hatchling")
    kernels = {f"charrnn/cuda/kernels/{path.name}" for path in KERNELS.iterdir()}
    assert {Path(name).suffix for name in kernels} == {".cu", ".cuh"}
    parts = {path.relative_to(ROOT).as_posix() for path in WEB.rglob("*.*")}
    assert {Path(name).suffix for name in parts} == {".css", ".html", ".js"}
    with zipfile.ZipFile(build("wheel", tmp_path)) as wheel:
        names = set(wheel.namelist())
    assert kernels | parts | PAGE | {"charrnn/py.typed"} <= names
    info = f"charrnn-{charrnn.__version__}.dist-info"
    assert {name.split("/")[0] for name in names} == {"charrnn", info}
    assert f"{info}/licenses/LICENSE" in names
    with tarfile.open(build("sdist", tmp_path)) as archive:
        sizes = {member.name.partition("/")[2]: member.size for member in archive}
    assert kernels | parts | PAGE | {"LICENSE", "tests/test_packaging.py"} <= set(sizes)
    assert sum(sizes.values()) < 8_000_000


def test_each_cuda_has_an_extra():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    cuda = {name: extra for name, extra in extras.items() if name.startswith("cuda")}
    assert cuda == {f"cuda{version}": [f"cupy-cuda{version}x[ctk]>=14"] for version in (12, 13)}
    from charrnn.cuda.device import INSTALL

    for (package,) in cuda.values():
        assert f"'{package.split('>')[0]}'" in INSTALL


def test_exports_name_their_extra():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    from charrnn.exports.pytorch import INSTALL

    (extra,) = project["project"]["optional-dependencies"]["safetensors"]
    assert f"pip install {extra.split('>')[0]}" == INSTALL
    assert extra in project["dependency-groups"]["dev"]
