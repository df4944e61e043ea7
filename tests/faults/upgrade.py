"""N−1 beside N: a release is replaced by the next one while a customer asks both.

Both run whole on the same stores, as in the middle of a rolling upgrade. Two further gateways mix them: the new one
over the old services and the old one over the new services. A failure is a 5xx or a broken connection. A socket of each
release must hear of every agent that was acknowledged while it stood, whichever gateway took it. Jobs and events of
either are done by the workers of both, so every call must end as one charge. Both use the packages of this tree.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import sysconfig
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from local.demo.console import StepFailed
from local.demo.listening import Listener, until
from local.paths import ROOT
from local.processes.ports import free_ports
from local.processes.probes import http_ready
from local.processes.process import Child, Command
from local.runner.runner import DATABASE
from local.runner.suite import Suite
from local.stores import Stores, run_sql, write_private
from tests.faults.beside import beside
from tests.faults.customer import Customer, customer
from tests.faults.jobs import Outcome
from tests.faults.replicas import WARM_SECONDS, Answers, ask
from tests.faults.rolling import HEARD_SECONDS

# Between two migrations releases differ by code alone; before the newest one their schemas differ too.
MIGRATIONS = tuple(
    f":(glob){path}"
    for path in ("services/*/storage/migrations/*.sql", "libs/*/engine/*.sql", "libs/*/store/migrations/*.sql")
)
# Tells the release's own bootstrap that the environment is complete.
_STAMP = "from local import bootstrap as b; b._stamp('suite').write_text(b._fingerprint('suite'))"
# Seconds that a gateway is given to answer what it has when no new request comes: the pause before its end.
PAUSE_SECONDS = 3.0
READY_SECONDS = 60.0


class Doors(httpx.AsyncBaseTransport):
    """Sends each request to the next of several gateways; `urls` may change at any time."""

    def __init__(self, urls: list[str]) -> None:
        self.urls = urls
        self._inner = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=100))
        self._count = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._count += 1
        door = httpx.URL(self.urls[self._count % len(self.urls)])
        request.url = request.url.copy_with(host=door.host, port=door.port)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def newest_migration() -> str:
    """The commit that added the newest migration."""
    return git("log", "-1", "--format=%H", "--diff-filter=A", "--", *MIGRATIONS).decode().strip()


def release_before() -> str:
    """The commit before the one that added the newest migration."""
    return git("rev-parse", f"{newest_migration()}^").decode().strip()


async def upgrade(folder: Path, before: str, rate: float, mixed_seconds: float) -> Outcome:
    """`rate` requests a second while the release `before` (a commit or tag) is replaced by this tree."""
    tree = _check_out(before, folder / "before")
    with Stores(folder / "stores") as stores:
        run_sql(stores.postgres_admin_dsn, f"create database {DATABASE}")
        environment = {
            "DATABASE_URL": stores.postgres_admin_dsn.rpartition("/")[0] + f"/{DATABASE}",
            "REDIS_URL": stores.redis_url, "NATS_URL": stores.nats_url,
            "ECHOSENSEIX_SECRETS": str(folder / "secrets"), "BLOBS_URL": (folder / "blobs").as_uri(), "LIMITS": "bench",
            # A fork does not show in /proc what it was told, which `_environment` reads.
            "PRELOAD": "off",
        }  # fmt: skip
        old = Suite(folder / "old", environment=environment, tree=tree)
        new = Suite(folder / "new", environment=environment)
        try:
            await asyncio.to_thread(old.start)
            return await _replace(old, new, tree, folder, rate, mixed_seconds)
        finally:
            await asyncio.gather(asyncio.to_thread(old.stop), asyncio.to_thread(new.stop))


async def _replace(old: Suite, new: Suite, tree: Path, folder: Path, rate: float, mixed_seconds: float) -> Outcome:
    doors = Doors([old.url])
    async with customer(old.url, doors) as asking:
        answers, stop = Answers(), asyncio.Event()
        before = await _listening(asking, old)
        async with beside(ask(asking, answers, rate, stop)):
            await asyncio.sleep(WARM_SECONDS)
            # The first organization's password is known to the folder that made it.
            new.folder.path.mkdir(parents=True, exist_ok=True)
            write_private(new.folder.credentials_file, old.folder.credentials_file.read_text(encoding="utf-8"))
            await asyncio.to_thread(new.start)  # migrates first, beside the old release
            async with (
                _gateway(ROOT, old, folder / "mixed-new") as over_old,
                _gateway(tree, new, folder / "mixed") as over,
            ):
                after = await _listening(asking, new)
                known = set(asking.history.names("agent", "ok"))
                doors.urls = [old.url, new.url, over_old, over]
                await asyncio.sleep(mixed_seconds)
                doors.urls = [new.url]
                await asyncio.sleep(PAUSE_SECONDS)
            mixed = set(asking.history.names("agent", "ok"))
            problems = await _unheard("old", before, mixed)
            await before.stop()
            await asyncio.to_thread(old.stop)
            await asyncio.sleep(WARM_SECONDS)
            stop.set()
        problems += await asking.settled()
        problems += await _unheard("new", after, set(asking.history.names("agent", "ok")) - known)
        await after.stop()
    problems += [text for _, text in answers.failed[:5]]
    figures: dict[str, float] = {
        "requests": answers.count, "failed": len(answers.failed), "acknowledged": asking.history.count("ok"),
        "while mixed": len(mixed - known), "heard": len(before.events) + len(after.events),
    }  # fmt: skip
    return Outcome(figures=figures, problems=problems)


async def _listening(asking: Customer, suite: Suite) -> Listener:
    """A socket at this release's realtime."""
    token = await asking.post("/api/realtime/token")
    channel = next(name for name in token["channels"] if name.endswith(":agents"))
    path = token["url"].split("/", 3)[3]
    listener = Listener(f"{suite.credentials['realtimeUrl']}/{path}", token["token"], channel)
    await listener.start()
    return listener


async def _unheard(which: str, listener: Listener, wanted: set[str]) -> list[str]:
    """Agents that were acknowledged and whose event reached no listener, or reached it twice."""

    def heard() -> Counter[str]:
        return Counter(event["data"]["name"] for event in listener.of_type("agent.created"))

    with contextlib.suppress(StepFailed):
        await until(lambda: wanted <= heard().keys(), "the event of every agent arrives", HEARD_SECONDS)
    missing, doubled = sorted(wanted - heard().keys()), [name for name, count in heard().items() if count > 1]
    return [f"not heard at the {which} release: {name}" for name in missing[:5]] + [
        f"heard twice at the {which} release: {name}" for name in doubled[:5]
    ]


@contextlib.asynccontextmanager
async def _gateway(tree: Path, services: Suite, folder: Path) -> AsyncIterator[str]:
    """A gateway of the release in `tree` over the services of another; its URL."""
    http, ops = free_ports(2)
    python = tree / ".venv" / "bin" / "python"
    environment = _environment(int(services.process("gateway")["pid"])) | {
        "GATEWAY_ADDRESS": f"127.0.0.1:{http}", "OPS_ADDRESS": f"127.0.0.1:{ops}",
    }  # fmt: skip
    child = Child(Command("gateway", [str(python), "-m", "gateway"], folder / "log", environment, cwd=tree))
    child.start()
    try:
        async with asyncio.timeout(READY_SECONDS):
            while not await asyncio.to_thread(http_ready, f"http://127.0.0.1:{ops}/ready"):
                await asyncio.sleep(0.1)
        yield f"http://127.0.0.1:{http}"
    finally:
        await asyncio.to_thread(child.stop)


def _environment(pid: int) -> dict[str, str]:
    """What a running process was told."""
    words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return dict(word.decode().split("=", 1) for word in words if b"=" in word)


def _check_out(commit: str, tree: Path) -> Path:
    """The code of the commit, with an environment whose imports of ours come from there and all others from here."""
    tree.mkdir()
    subprocess.run(["tar", "-x", "-C", str(tree)], input=git("archive", commit), check=True)
    environment = tree / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    site = next(environment.glob("lib/python3.*/site-packages"))
    # A .pth file inside a folder that a .pth file names is not read, so this tree's own is not.
    paths = (tree, tree / "protos", sysconfig.get_paths()["purelib"])
    (site / "echosenseix.pth").write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
    subprocess.run([str(environment / "bin" / "python"), "-c", _STAMP], cwd=tree, check=True)
    return tree


def git(*arguments: str) -> bytes:
    answer = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=False)
    if answer.returncode != 0:
        raise RuntimeError(f"the release before comes from git: {answer.stderr.decode().strip()}")
    return answer.stdout
