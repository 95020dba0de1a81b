"""Assembling the page from its parts, which are separate files in ``web/``.

Everything from a model or a file is data in one JSON block, in which no character can end the block
or be interpreted by an editor, and the scripts display it only as text. The policy of the page
allows its one script and its one style sheet by their hashes.
"""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from charrnn.errors import CharrnnError
from charrnn.exports.page.describing import described
from charrnn.exports.page.weights import float16_base64
from charrnn.storage.checkpoint import Checkpoint
from charrnn.views.markup import attribute

WEB = Path(__file__).parent / "web"
MOST_PARAMETERS = 2**26
"""A page of more than about 190 MB opens on no phone, and is near the limits of browsers."""
ENGINE = ("products", "cells", "network", "generator", "drawing", "text", "writing", "labels")
"""The scripts that compute, in order; ``worker`` comes last."""
PLACE = re.compile(r"\{\{(\w+)\}\}")


def write_page(path: Path, checkpoint: Checkpoint) -> None:
    """Write a model as one HTML file; for the errors see ``page_of``."""
    path.write_bytes(page_of(checkpoint, path.stem))


def page_of(checkpoint: Checkpoint, title: str) -> bytes:
    """Return a model as an HTML file.

    Parameters
    ----------
    checkpoint : Checkpoint
        The model, with P weights.
    title : str
        The title of the page.

    Returns
    -------
    bytes
        The file in UTF-8; about 2.67 bytes per weight, plus 50 kB.

    Raises
    ------
    CharrnnError
        If the model is too large for a browser, or a weight is too large for float16.
    """
    if checkpoint.num_parameters > MOST_PARAMETERS:
        raise CharrnnError(
            f"this model has {checkpoint.num_parameters:,} weights, and a page has at most "
            f"{MOST_PARAMETERS:,}: export a model with a smaller --hidden-size"
        )
    shape = _shape(checkpoint)
    restoring = ("restoring",) if checkpoint.labels else ()
    engine = _joined("engine", (*ENGINE, *restoring, "worker"))
    script = _joined("", ("page", shape))
    style = _read("style.css")
    parts = {
        "policy": _policy(script, style),
        "title": attribute(title),
        "style": style,
        "shape": _read(f"{shape}.html"),
        "model": data_block(described(checkpoint, title)),
        "weights": float16_base64(checkpoint.weights),
        "engine": engine,
        "script": script,
    }
    return PLACE.sub(lambda place: parts[place[1]], _read("page.html")).encode("utf-8")


def data_block(value: Any) -> str:
    r"""Return a value as JSON that is safe in a script element.

    Everything that a parser or an editor may interpret is escaped: ``<``, ``>``, ``&``, control
    characters, directional marks, and surrogates.

    Examples
    --------
    >>> data_block("</script>\u202e")
    '"\\u003c/script\\u003e\\u202e"'
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return "".join(c if c.isprintable() and c not in "<>&" else _escape(c) for c in text)


def _escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _shape(checkpoint: Checkpoint) -> str:
    """Return the kind of page for a task, after which its form and script are named."""
    if not checkpoint.labels:
        return "write"
    return checkpoint.task.predict if checkpoint.task.predict in ("label", "tags") else "restore"


def _policy(script: str, style: str) -> str:
    """Return the Content-Security-Policy: one script, one style sheet, one worker, no network."""
    hashes = [_hash(part) for part in (script, style)]
    return (
        f"default-src 'none'; script-src '{hashes[0]}'; style-src '{hashes[1]}'; "
        "worker-src blob:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _joined(folder: str, names: tuple[str, ...]) -> str:
    return "\n".join(_read(Path(folder, f"{name}.js")) for name in names)


def _read(name: str | Path) -> str:
    return (WEB / name).read_text("utf-8")
