"""Several processes that a launcher started: the first runs the command, the others work for it."""

import signal
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from charrnn.cli.exits import ExitCode
from charrnn.cli.show.console import say
from charrnn.cli.signals import stop_signals
from charrnn.errors import DeviceError
from charrnn.parallel.launcher import Announced

if TYPE_CHECKING:
    from charrnn.parallel.ranks import Ranks


def join_and_run(announced: Announced, command: Callable[[], None]) -> None:
    """Join the processes that were started together and run a command as one of them.

    Parameters
    ----------
    announced : Announced
        What the launcher said.
    command : callable
        Leaves by ``SystemExit``, as the command line does.
    """
    if announced.number > 0:  # a run is stopped by stopping rank 0, which ends the others
        for number in stop_signals():
            signal.signal(number, signal.SIG_IGN)
    from charrnn.cli.alike import check_alike
    from charrnn.parallel.ranks import start

    try:
        ranks = start(announced)
    except DeviceError as error:  # of this rank alone, maybe: the others may wait for it
        say(f"error: rank {announced.number} on {socket.gethostname()}: {error}")
        sys.exit(ExitCode.USAGE)
    if wrong := check_alike(ranks, sys.argv[1:]):
        if announced.number == 0:
            say(f"error: {wrong}")
        sys.exit(ExitCode.USAGE)
    lead_or_follow(ranks, command)


def lead_or_follow(ranks: "Ranks", command: Callable[[], None]) -> None:
    """Run a command as rank 0, or work for rank 0 until that is over."""
    from charrnn.parallel import crew

    if ranks.number > 0:
        try:
            crew.serve(ranks)
        except BaseException as error:
            ranks.abort(repr(error))
        return
    code: object = ExitCode.ERROR
    try:
        command()
    except SystemExit as ending:
        code = ending.code
        raise
    finally:
        crew.end(ranks, code if isinstance(code, int) else 0)
