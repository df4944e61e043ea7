"""The peak memory of the processes that read documents: every file of the cases goes through a running suite.

Uploads each file and waits until it is indexed or refused, while a thread looks at the worker and its descendants.
Linux counts a process's peak itself (VmHWM, shared pages included), so that no peak lies between two looks, except one
of a child's last milliseconds. Prints the largest peak of each kind of process, and how many stayed within the limit.
"""

import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import httpx

from local.paths import ROOT
from local.runner.suite import Suite

CASES = ROOT / "tests" / "unit" / "services" / "knowledge" / "extract" / "samples"
# Mebibytes that no process may pass.
_LIMIT = 350
# Seconds between two looks at the processes.
_PAUSE = 0.01


def measure(suite: Suite, client: httpx.Client, folder: Path) -> None:
    (worker,) = (
        part["pid"] for part in suite.run["processes"] if (part["service"], part["role"]) == ("knowledge", "work")
    )
    watch = _Watch(worker)
    outcomes: Counter[str] = Counter()
    files = sorted(path for path in folder.iterdir() if path.is_file())
    with watch:
        for path in files:
            watch.document = path.name
            outcomes[_read(client, path)] += 1
    print(f"documents             {len(files)}: {', '.join(f'{n} {name}' for name, n in outcomes.most_common())}")
    for kind, (mebibytes, document) in sorted(watch.largest.items()):
        print(f"peak RSS              {kind:9} {mebibytes:4} MB, with {document}")
    most = max(mebibytes for mebibytes, _ in watch.largest.values())
    print(f"summary: {most} MB at most in {len(watch.peaks)} processes, limit {_LIMIT} MB")
    if most > _LIMIT:
        raise SystemExit(1)


def _read(client: httpx.Client, path: Path) -> str:
    with path.open("rb") as file:
        answer = client.post("/api/documents/upload", files={"document": (path.name, file)})
    if answer.status_code != 202:
        return str(answer.json()["code"])
    location = f"/api/documents/{answer.json()['documentId']}/status"
    while (status := client.get(location).json())["status"] == "processing":
        time.sleep(0.02)
    return str(status["error"]["code"] if status["error"] else status["status"])


class _Watch:
    """`largest` has the peak in MiB and the document that was being read, for each depth below the worker."""

    def __init__(self, worker: int) -> None:
        self._worker = worker
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.document = "none yet"
        self.peaks: dict[int, int] = {}
        self.largest: dict[str, tuple[int, str]] = {}

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(_PAUSE):
            self._look([self._worker], ("worker", "template", "child"))

    def _look(self, pids: list[int], kinds: tuple[str, ...]) -> None:
        for pid in pids:
            with suppress(OSError, IndexError):  # it ended meanwhile
                status = Path(f"/proc/{pid}/status").read_text()
                peak = int(status.split("VmHWM:")[1].split()[0]) // 1024
                self.peaks[pid] = max(peak, self.peaks.get(pid, 0))
                if peak > self.largest.get(kinds[0], (0, ""))[0]:
                    self.largest[kinds[0]] = (peak, self.document)
                children = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
                self._look(children, kinds[1:] or kinds)
