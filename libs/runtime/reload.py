"""`python -m libs.runtime.reload MODULE [ARGUMENTS]`: run a module and restart it when a source file changes.

The entry point of development images, where files are synchronized into a running container. It passes SIGTERM and
SIGINT on and ends with the module's exit code. After an edit that does not run it waits for the next edit.
"""

import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

# Seconds between looks at the source files.
PERIOD_SECONDS = 0.5
# Seconds that the module has to end before it is killed; below the drain of 20 s, because this is for development.
STOP_SECONDS = 15.0
SUFFIXES = frozenset({".py", ".sql", ".json", ".html", ".js", ".css", ".svg"})


def watch(command: list[str], root: Path, stop: threading.Event) -> int:
    """Run `command` until `stop` is set or it ends by itself before any edit; its exit code."""
    seen, edited = snapshot(root), False
    child = subprocess.Popen(command)  # noqa: S603 the command line of this process
    while not stop.wait(PERIOD_SECONDS):
        now = snapshot(root)
        if now != seen:
            seen, edited = now, True
            _end(child)
            child = subprocess.Popen(command)  # noqa: S603
        elif child.poll() is not None and not edited:
            return child.returncode
    return _end(child)


def snapshot(root: Path) -> Mapping[Path, int]:
    """The source files below `root` with their modification times in nanoseconds."""
    return {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.suffix in SUFFIXES and path.exists()}


def _end(child: "subprocess.Popen[bytes]") -> int:
    child.terminate()
    try:
        return child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


def main() -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return watch([sys.executable, "-m", *sys.argv[1:]], Path.cwd(), stop)


if __name__ == "__main__":
    sys.exit(main())
