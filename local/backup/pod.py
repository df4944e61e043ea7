"""The backup of a cluster, from inside a pod: `python -m local.backup.pod store|fetch [NAME]`.

`store` puts a dump that pg_dump has left in WORK, the keys of the Secret suite-keys and the objects of a volume (if
there is one) as one archive at BACKUP_URL, and keeps the newest BACKUP_KEEP. `fetch` unpacks the newest, or NAME
(BACKUP_NAME), into WORK for pg_restore, and puts objects back into the volume. BACKUP_OBJECTS names the volume. Objects
of a bucket are not copied: the bucket's own versioning keeps them.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from libs.blobs import BlobStore
from local.backup import archive
from local.backup.archive import BackupFailed, Member

# The prefix of archives in the bucket, which may hold other things.
FOLDER = "backups"
# Two weeks of nights.
KEPT = 14
# Bytes of one part of an upload: memory stays flat however large the archive is.
_CHUNK = 1_048_576


async def save(store: BlobStore, work: Path, keys: Path, blobs: Path | None, keep: int) -> str:
    """Answers the archive's name."""
    members = [Member(archive.KEYS, keys), Member(archive.DATABASE, work / archive.DATABASE)]
    for member in members:
        if not member.path.exists():
            raise BackupFailed(f"{member.path} is missing: the step before this one has failed.")
    name = f"echosenseix-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.tar"
    facts = {"createdAt": datetime.now(UTC).isoformat(timespec="seconds"), "objects": "included" if blobs else "bucket"}
    file = work / name
    archive.write(file, facts, [*members, *(archive.objects(blobs) if blobs else ())])
    await store.put(f"{FOLDER}/{name}", _chunks(file))
    file.unlink()
    # Only after the new archive is stored: a failed night never costs an old backup.
    for old in (await names(store))[:-keep]:
        await store.delete(f"{FOLDER}/{old}")
    return name


async def fetch(store: BlobStore, work: Path, name: str = "", blobs: Path | None = None) -> str:
    """Unpack the newest archive, or the one named, and put its objects into `blobs`; answers its name."""
    known = await names(store)
    if not known:
        raise BackupFailed("There is no backup at BACKUP_URL.")
    wanted = name or known[-1]
    if wanted not in known:
        raise BackupFailed(f"There is no backup {wanted}; there are {', '.join(known)}.")
    with tempfile.NamedTemporaryFile(dir=work, suffix=".tar") as file:
        async for chunk in store.stream(f"{FOLDER}/{wanted}"):
            file.write(chunk)
        file.flush()
        archive.unpack(Path(file.name), work)
    if blobs and (work / archive.OBJECTS).is_dir():
        await asyncio.to_thread(_put_back, work / archive.OBJECTS, blobs)
    return wanted


def _put_back(objects: Path, volume: Path) -> None:
    """The contents alone: only the owner of a volume, who may be another user, may set times and rights on it."""
    for path in sorted(objects.rglob("*")):
        place = volume / path.relative_to(objects)
        if path.is_dir():
            place.mkdir(parents=True, exist_ok=True)
        else:
            shutil.copyfile(path, place)


async def names(store: BlobStore) -> list[str]:
    """The archives at BACKUP_URL, oldest first: their names carry the time."""
    return sorted([key.rpartition("/")[2] async for key in store.keys(FOLDER)])


async def _chunks(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            yield chunk


def main(arguments: list[str]) -> int:
    environment = os.environ
    work, target = Path(environment.get("WORK", "/work")), BlobStore.from_url(environment["BACKUP_URL"])
    try:
        blobs = Path(environment["BACKUP_OBJECTS"]) if environment.get("BACKUP_OBJECTS") else None
        name = "".join(arguments[1:2]) or environment.get("BACKUP_NAME", "")
        if arguments[:1] == ["store"]:
            keep = int(environment.get("BACKUP_KEEP", KEPT))
            said = asyncio.run(save(target, work, Path(environment["KEYS_FILE"]), blobs, keep))
        elif arguments[:1] == ["fetch"]:
            said = asyncio.run(fetch(target, work, name, blobs))
        else:
            sys.stderr.write("python -m local.backup.pod store|fetch [NAME]\n")
            return 2
    except BackupFailed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(said + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
