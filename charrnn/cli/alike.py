"""Checks that all ranks run the same versions with the same arguments before they start."""

import pickle
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from socket import gethostname

import numpy as np

from charrnn import __version__
from charrnn.backend.products import blas_kernel
from charrnn.parallel.ranks import Ranks
from charrnn.system.machine import processor_name

MOST_NAMED = 4
"""Kinds of processors that a notice lists at most."""


@dataclass(frozen=True)
class Facts:
    """The versions, arguments and processor of a rank.

    Attributes
    ----------
    host : str
        The name of its machine.
    versions : dict of str to str
        Versions that must be the same on all ranks.
    arguments : tuple of str
        The arguments of its command, which must be the same on all ranks.
    kind : str
        The name of its processor, and the kernels that BLAS uses on it.
    """

    host: str
    versions: dict[str, str]
    arguments: tuple[str, ...]
    kind: str

    @staticmethod
    def here(arguments: Sequence[str]) -> "Facts":
        """Return the facts of this rank."""
        python = ".".join(map(str, sys.version_info[:2]))
        return Facts(
            host=gethostname(),
            versions={
                "charrnn": __version__,
                "NumPy": np.__version__,
                "Python": python,
                "byte order": sys.byteorder,
            },
            arguments=tuple(arguments),
            kind=f"{processor_name()} ({blas_kernel()} kernels)",
        )


def difference(facts: Sequence[Facts]) -> str:
    """Return how a rank differs from rank 0; empty if none does."""
    first = facts[0]
    for rank, own in enumerate(facts):
        where = f"rank {rank} on {own.host}"
        for name, version in own.versions.items():
            if version != first.versions[name]:
                return (
                    f"{where} has {name} {version}, and rank 0 on {first.host} has "
                    f"{first.versions[name]}: all ranks need the same"
                )
        if own.arguments != first.arguments:
            return (
                f"{where} was started with other options than rank 0 on {first.host}: start all "
                "with the same command"
            )
    return ""


def mixed_processors(facts: Sequence[Facts]) -> str:
    """Return a notice that the processors differ; empty if they are all of one kind."""
    kinds = Counter(own.kind for own in facts)
    if len(kinds) < 2:
        return ""
    named = [
        f"{number} rank{'s' if number > 1 else ''} on {kind}"
        for kind, number in kinds.most_common(MOST_NAMED)
    ]
    more = f" and {len(kinds) - MOST_NAMED} more kinds" if len(kinds) > MOST_NAMED else ""
    return (
        f"the processors differ ({', '.join(named)}{more}): numbers differ in their last digits "
        "between kinds, so the result is the same bit for bit only where every rank is on the "
        "same kind again"
    )


def check_alike(ranks: Ranks, arguments: Sequence[str]) -> str:
    """Return, on all ranks, why they cannot work together; empty if they can.

    Parameters
    ----------
    ranks : Ranks
        Theirs; rank 0 is given the notice of mixed processors.
    arguments : sequence of str
        Those of this rank's command.
    """
    gathered = ranks.gather(pickle.dumps(Facts.here(arguments)))
    wrong = ""
    if gathered:
        facts = [pickle.loads(own) for own in gathered]
        wrong = difference(facts)
        if notice := mixed_processors(facts):
            ranks.notices.append(notice)
    return ranks.broadcast(wrong.encode()).decode()
