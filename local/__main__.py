"""`python3 -m local COMMAND`: the door behind `make`; works on a bare Python, because it makes the environment first.

Imports only the standard library until it runs inside .venv; then `local.cli.commands` knows the commands.
"""

import os
import sys

# The oldest Python that the code runs on: it uses TaskGroup, asyncio.timeout and Self.
OLDEST = (3, 11)
# Commands that import packages, with the group of the lock that has them; all others run on a bare Python.
NEEDS = dict.fromkeys(("up", "dev", "daemon", "token", "backup", "restore"), "suite")
NEEDS.update(dict.fromkeys(("lint", "types", "test", "security", "check"), "dev"))
# Commands that only look at what runs: on a fresh clone they need no installation to say that nothing does.
ASK_ONLY = ("down", "status", "logs", "restart", "reset")


def main() -> None:
    if sys.version_info < OLDEST:
        # The % operator, because an older Python must be able to parse this line.
        sys.exit("The suite needs Python 3.11 or newer; this is %d.%d." % sys.version_info[:2])  # noqa: UP031
    from local import bootstrap

    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    if command == "bootstrap":
        bootstrap.ensure(sys.argv[2] if len(sys.argv) > 2 else "dev")
    elif bootstrap.inside() and (command not in NEEDS or bootstrap.is_current(NEEDS[command])):
        from local.cli import commands

        commands.run(sys.argv[1:])
    elif command in ASK_ONLY and not bootstrap.PYTHON.exists():
        sys.exit("Nothing was ever started from this folder: `make up`, or `python3 -m local up`.")
    else:
        python = bootstrap.ensure(NEEDS.get(command, "suite"))
        os.execv(python, [python, "-m", "local", *sys.argv[1:]])  # noqa: S606 the same command in its environment


if __name__ == "__main__":
    from local import terminal

    terminal.run(main)
