"""The commands of `python -m local`: up, dev, down, status, logs, restart, reset, token, test, check.

The words and exit codes are here; what happens is in the modules it calls.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.cli import foreground, greeting, logs, reset, status
from local.cli.foreground import WrongOptions
from local.paths import ROOT
from local.processes.probes import http_ready
from local.runner.folder import Folder, is_alive
from local.terminal import fail, say
from local.tools import checks
from suite.services import process_names

# Seconds to wait for a whole stop: five ranks of at most 15 s each, of which most take below one.
STOP_PATIENCE = 60.0
# Seconds for one process to end (15 at most) and its next one to be ready (30 at most).
RESTART_PATIENCE = 45.0
# Seconds between a replica's return and its twin's restart. Callers reconnect at most a second after a peer is back
# (libs.rpc.channel); without the pause both replicas would be away in their eyes. Kubernetes: minReadySeconds.
SETTLE_SECONDS = 1.5


def run(arguments: list[str]) -> None:
    parser = _parser()
    options = parser.parse_args(arguments)
    if not hasattr(options, "run"):
        parser.print_help()
        sys.exit(0)
    command: Callable[[argparse.Namespace], int] = options.run
    try:
        sys.exit(command(options))
    except WrongOptions as error:
        sys.exit(fail(str(error)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m local", description="EchoSenseiX on this machine.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def add(name: str, act: Callable[[argparse.Namespace], int], words: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=words, description=words)
        added.set_defaults(run=act)
        added.add_argument("--var", type=Path, default=ROOT / "var", help="the folder of data, logs and run.json")
        return added

    for name, act, words in (
        ("up", up, "start everything in the background and return when it is healthy"),
        ("dev", foreground.dev, "start everything in the foreground, show the logs, restart what is edited"),
        ("daemon", foreground.daemon, "the runner itself, in the foreground and silent: what `up` starts"),
    ):
        starting = add(name, act, words)
        starting.add_argument("--free-ports", action="store_true", help="take any free ports instead of the fixed ones")
        starting.add_argument("--scale", default=os.environ.get("SCALE", ""), help='"gateway=3 knowledge-worker=2"')
    add("down", down, "stop everything; the data stay")
    add("status", show_status, "processes, pids, memory, ports, health")
    reading = add("logs", show_logs, "the last lines of each log")
    reading.add_argument("service", nargs="?", default=os.environ.get("SERVICE", ""))
    reading.add_argument("-f", "--follow", action="store_true", default=bool(os.environ.get("FOLLOW")))
    again = add("restart", restart, "restart one service, or all of the suite, one process after the other")
    again.add_argument("service", nargs="?", default=os.environ.get("SERVICE", ""))
    again = add("reset", throw_away, "stop everything and throw all local data away")
    again.add_argument("--yes", action="store_true", help="do not ask about a database that DATABASE_URL names")
    saving = add("backup", save, "database, objects and keys of the running suite into one archive")
    saving.add_argument("file", nargs="?", type=Path, help="var/backups/echosenseix-TIME.tar if not given")
    bringing = add("restore", bring_back, "an archive into an empty installation")
    bringing.add_argument("file", type=Path)
    bringing.add_argument("--replace", action="store_true", help="throw away what this installation holds")
    add("verify-audit", check_audit, "check the hash chains of the audit logs of the running suite")
    turning = add("keys", turn_keys, "replace the installation's keys while it runs")
    turning.add_argument("act", choices=("rotate", "retire"))
    turning.add_argument("names", nargs="*", help="principal, encryption.agent, … (all)")
    token = add("token", show_token, "a principal of the first organization, to call one service by gRPC")
    token.add_argument("service", nargs="?", default=os.environ.get("SERVICE", ""))
    for name, words in (
        ("lint", "style, import contracts, protos"),
        ("types", "the type checker"),
        ("test", "all tests"),
        ("security", "attacks on every public port"),
        ("check", "everything that must pass before a change lands, fastest first"),
    ):
        add(name, run_stages, words).set_defaults(rounds=checks.NAMED[name])
    return parser


def turn_keys(options: argparse.Namespace) -> int:
    # Imported in the command: the runner, which is one too, must not pay for its packages.
    from local.cli import keys

    folder = Folder(options.var)
    return {"rotate": keys.rotate, "retire": keys.retire}[options.act](folder, options.names)


def check_audit(options: argparse.Namespace) -> int:
    from local.cli import audit

    folder = Folder(options.var)
    if not folder.is_running():
        return fail("Nothing runs. `make up` starts the suite.")
    return audit.verify_audit(folder)


def run_stages(options: argparse.Namespace) -> int:
    return checks.run(options.rounds)


def up(options: argparse.Namespace) -> int:
    folder = Folder(options.var)
    wanted = foreground.chosen(options)
    if folder.is_running():
        # Running as asked for: `make up` again changes nothing.
        if folder.read_run().get("requested") == wanted.requested:
            return _show_running(folder)
        say("running in another shape; starting again")
        down(options)
    folder.logs.mkdir(parents=True, exist_ok=True)
    arguments = ["--var", str(folder.path), "--scale", options.scale, *(["--free-ports"] * options.free_ports)]
    with folder.log("runner").open("ab") as log:
        runner = subprocess.Popen(  # noqa: S603 ourselves
            [sys.executable, "-m", "local", "daemon", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, cwd=ROOT, start_new_session=True,
        )  # fmt: skip
    try:
        failure = _follow_start(runner)
    except KeyboardInterrupt:
        runner.terminate()
        runner.wait()
        return fail("\ninterrupted; nothing is left running")
    if failure:
        runner.wait()
        return fail(failure)
    say(greeting.text(folder))
    return 0


def _show_running(folder: Folder) -> int:
    deadline = time.monotonic() + STOP_PATIENCE
    while folder.read_run().get("state") != "ready":
        if time.monotonic() > deadline or not folder.is_running():
            return fail("The suite is starting or stopping from another command; look with `make status`.")
        time.sleep(0.1)
    url = folder.read_run().get("urls", {}).get("url", "")
    if folder.read_credentials() and not http_ready(f"{url}/health"):
        return fail(f"The suite is running and not healthy: {url}/health and `make status` say what is missing.")
    say("already running\n" + greeting.text(folder))
    return 0


def _follow_start(runner: subprocess.Popen[bytes]) -> str:
    """Shows the runner's steps until it is ready; otherwise what it said last."""
    said: list[str] = []
    assert runner.stdout is not None  # noqa: S101 we asked for the pipe
    with runner.stdout as lines:
        for line in lines:
            text = line.decode(errors="replace").rstrip()
            if text.startswith("ready "):
                say(f"· healthy after {text.split()[1]} s")
                return ""
            if text.startswith("· "):
                say(text)
            else:
                said.append(text)
    return "\n".join(said) or "The runner ended without a message; see var/log/runner.log."


def down(options: argparse.Namespace) -> int:
    folder = Folder(options.var)
    pid = folder.runner_pid()
    if not pid:
        say("nothing is running")
        return 0
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_PATIENCE
    while folder.is_running():
        if time.monotonic() > deadline:
            return fail(f"The runner (pid {pid}) did not stop within {STOP_PATIENCE:.0f} s; `kill -9 {pid}` ends all.")
        time.sleep(0.05)
    say("stopped; the data stay in var/ (`make reset` throws them away)")
    return 0


def show_status(options: argparse.Namespace) -> int:
    folder = Folder(options.var)
    if not folder.is_running():
        say("nothing is running")
        return 3
    text, healthy = status.report(folder)
    say(text)
    return 0 if healthy else 1


def show_logs(options: argparse.Namespace) -> int:
    return logs.show(Folder(options.var), options.service, options.follow)


def restart(options: argparse.Namespace) -> int:
    """Ask each process to end and wait until the runner's next one is ready before the next is asked."""
    folder = Folder(options.var)
    if not folder.is_running():
        return fail("Nothing is running: `make up`.")
    names = [entry["name"] for entry in folder.read_run()["processes"] if _is_meant(entry, options.service)]
    if not names:
        known = ", ".join(entry["name"] for entry in folder.read_run()["processes"])
        return fail(f'SERVICE: "{options.service}" is none of {known}.')
    # Only replicas of one service need the pause; different services restart one right after the other.
    previous = ""
    for name in names:
        before = _entry(folder, name)
        # The first process of a service needs no pause: its twin still serves.
        if previous == before["service"]:
            time.sleep(SETTLE_SECONDS)
        previous = before["service"]
        if before["pid"] and is_alive(before["pid"]):
            os.kill(before["pid"], signal.SIGTERM)
        deadline = time.monotonic() + RESTART_PATIENCE
        while (now := _entry(folder, name))["state"] != "ready" or now["pid"] == before["pid"]:
            if time.monotonic() > deadline:
                return fail(f"{name} did not come back; see `make logs SERVICE={name}`.")
            time.sleep(0.05)
        say(f"{name}: pid {before['pid']} → {now['pid']}")
    return 0


def _is_meant(entry: dict[str, Any], named: str) -> bool:
    named = process_names(named)
    return entry["role"] != "nginx" and named in ("", entry["name"], entry["service"])


def _entry(folder: Folder, name: str) -> dict[str, Any]:
    return next(entry for entry in folder.read_run()["processes"] if entry["name"] == name)


def throw_away(options: argparse.Namespace) -> int:
    return reset.reset(options, down)


def save(options: argparse.Namespace) -> int:
    # Imported in the command: it needs packages that the other commands do not.
    from local import backup
    from local.backup.archive import BackupFailed

    try:
        file = backup.create(Folder(options.var), options.file, os.environ, _step)
    except (BackupFailed, OSError) as error:
        return fail(str(error))
    say(f"{file}: {file.stat().st_size / 1_048_576:.1f} MiB. It holds the keys: keep it as secret as they are.")
    return 0


def bring_back(options: argparse.Namespace) -> int:
    from local import backup
    from local.backup.archive import BackupFailed
    from local.stores import StoreFailed

    try:
        backup.restore(Folder(options.var), options.file, os.environ, _step, replace=options.replace)
    except (BackupFailed, StoreFailed, OSError) as error:
        return fail(str(error))
    say("restored; `make up` starts it")
    return 0


def _step(text: str) -> None:
    say(f"· {text}")


def show_token(options: argparse.Namespace) -> int:
    from local.cli.tokens import NoToken, principal_token

    try:
        say(principal_token(Folder(options.var), process_names(options.service)))
    except NoToken as error:
        return fail(str(error))
    return 0
