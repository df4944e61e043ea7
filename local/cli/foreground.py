"""The two commands that stay: the silent runner behind `up`, and `dev`, which shows logs and restarts what is edited.

Turns errors that the user can correct into one sentence and exit code 1. Any other error is a defect and shows its
traceback.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Callable

from local.cli import greeting, reload
from local.processes.ports import PortTaken
from local.runner.first_organization import NotCreated
from local.runner.folder import AlreadyRunning, Folder
from local.runner.runner import Beside, Options, StartFailed, serve
from local.runner.supervisor import NotReady
from local.runner.topology import Scale
from local.stores import StoreFailed
from local.terminal import say


class WrongOptions(ValueError):
    """The command line or the environment asks for something unknown."""


def chosen(options: argparse.Namespace) -> Options:
    limits = os.environ.get("LIMITS", "")
    if limits not in ("", "normal", "bench"):
        raise WrongOptions(f'LIMITS: "{limits}" is not known; only LIMITS=bench lifts the limits.')
    try:
        return Options(Scale.parse(options.scale), options.free_ports, dict(os.environ))
    except ValueError as error:
        raise WrongOptions(str(error)) from None


def daemon(options: argparse.Namespace) -> int:
    """Steps, then `ready SECONDS`, or a reason, on standard output; its reader may leave after that."""
    return _run(options, lambda line: say(line if line.startswith("ready") else f"· {line}"))


def dev(options: argparse.Namespace) -> int:
    folder = Folder(options.var)

    def tell(line: str) -> None:
        if line.startswith("ready"):
            say(f"{greeting.text(folder)}\nCtrl-C stops everything; what is edited is restarted.")
        else:
            say(f"· {line}")

    code = _run(options, tell, reload.beside)
    if code == 0:
        say("stopped; the data stay in var/")
    return code


def _run(options: argparse.Namespace, tell: Callable[[str], None], beside: Beside | None = None) -> int:
    folder = Folder(options.var)
    wanted = chosen(options)
    try:
        with folder.held():
            asyncio.run(serve(folder, wanted, tell, beside))
    except (AlreadyRunning, NotCreated, NotReady, PortTaken, StartFailed, StoreFailed) as error:
        say(str(error))
        return 1
    # What the machine refuses, such as a full disk, is for the user and not a defect.
    except OSError as error:
        say(f"{error.filename or 'The machine'}: {error.strerror or error}")
        return 1
    return 0
