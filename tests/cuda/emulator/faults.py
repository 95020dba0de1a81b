"""Faults planted in kernels, to see that the tests of the kernels find them."""

from charrnn.cuda.source import COMMON, Sources
from emulator.backend import EmulatedBackend, EmulatorError, own_sources

ORDERS = (False, True)
"""Whether the last warps run ahead: a check runs in both orders."""


def planted(file, old, new, sources=None):
    """Return sources with ``old`` replaced by ``new`` where it stands, once, in ``file``."""
    sources = own_sources() if sources is None else sources
    text = sources.common if file == COMMON else sources.files[file]
    assert text.count(old) == 1, f"{file} has {text.count(old)} times {old!r}"
    text = text.replace(old, new)
    if file == COMMON:
        return Sources(text, sources.files)
    return Sources(sources.common, {**sources.files, file: text})


def run_check(check, sources=None, **options):
    """Call ``check(backend)`` in both orders, look at the guard bytes, and return what ran."""
    launched = set()
    for descending in ORDERS:
        backend = EmulatedBackend(sources=sources, descending=descending, **options)
        check(backend)
        backend.check()
        launched |= backend.launched
    return launched


def assert_caught(check, file, old, new, sources=None, **options):
    """Assert that ``check(backend)`` passes, and fails once ``new`` stands for ``old`` in ``file``.

    It fails by an assertion of its own, or because the emulator reports a deadlock, a write beside
    an array or another fault.
    """
    launched = run_check(check, sources, **options)
    faulty = planted(file, old, new, sources)
    try:
        run_check(check, faulty, only=launched, **options)
    except (AssertionError, EmulatorError):
        return
    raise AssertionError(f"{file} with {new!r} for {old!r} passes its check")
