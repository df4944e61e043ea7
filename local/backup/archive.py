"""The archive: a tar with `manifest.json`, `keys.json`, `credentials.json`, `database.dump` and `objects/…`.

The manifest has the SHA-256 of every member, so that a damaged copy is noticed before anything is replaced.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

# Version of the archive's layout. A reader refuses any other, so a change of the layout raises it.
FORMAT = 1
# Names inside the archive; k8s/overlays/restore reads the dump by the same name.
MANIFEST, KEYS, DATABASE, OBJECTS = "manifest.json", "keys.json", "database.dump", "objects/"
# The first organization's owner and key, which `make up` shows again.
CREDENTIALS = "credentials.json"
# Bytes read at a time: memory stays flat however large a dump is.
_CHUNK = 1_048_576


class BackupFailed(RuntimeError):
    """No archive was made, or nothing was restored; the message says what to do."""


@dataclass(frozen=True)
class Member:
    """A file to be put into the archive."""

    name: str
    path: Path


def write(file: Path, facts: dict[str, Any], members: Iterable[Member]) -> dict[str, Any]:
    """Writes beside the final name and renames, so that a broken run leaves no half archive. Answers the manifest."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    sums: dict[str, str] = {}
    try:
        with os.fdopen(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
            # A Secret's files are symbolic links in a pod: what they point to is kept, not the link.
            with tarfile.open(fileobj=handle, mode="w", format=tarfile.PAX_FORMAT, dereference=True) as tar:
                for member in members:
                    # An object that was deleted since the folder was listed is not in the database's copy either.
                    if member.path.exists():
                        sums[member.name] = _checksum(member.path)
                        tar.add(member.path, member.name, recursive=False)
                manifest = {"format": FORMAT, **facts, "sha256": sums}
                body = json.dumps(manifest, indent=1).encode()
                # The manifest is the last member, because it needs all checksums.
                entry = tarfile.TarInfo(MANIFEST)
                entry.size, entry.mode = len(body), 0o600
                tar.addfile(entry, io.BytesIO(body))
            handle.flush()
            # On the disk before the rename, or a power cut could leave an empty file under the final name.
            os.fsync(handle.fileno())
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)
    return manifest


def unpack(file: Path, folder: Path) -> dict[str, Any]:
    """All members into `folder`, each compared with its checksum; answers the manifest. Raises BackupFailed."""
    try:
        with tarfile.open(file, "r:") as tar:
            manifest = _manifest(tar)
            for name in manifest["sha256"]:
                _extract(tar, name, folder)
    except (OSError, tarfile.TarError, KeyError, ValueError) as error:
        raise BackupFailed(f"{file} is no whole backup of this suite: {error}") from None
    for name, wanted in manifest["sha256"].items():
        if _checksum(folder / name) != wanted:
            raise BackupFailed(f"{file} is damaged: {name} does not have the checksum of its manifest.")
    return manifest


def _extract(tar: tarfile.TarFile, name: str, folder: Path) -> None:
    """The contents of a file below `folder` and nothing else, because an archive may come from elsewhere. tarfile's own
    filter for this is missing in Python 3.11.0 to 3.11.3."""
    source, target = tar.extractfile(name), folder / name
    if source is None or not target.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{name} is no file of its own folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    with source, os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
        shutil.copyfileobj(source, handle)


def objects(folder: Path) -> Iterator[Member]:
    """The files under the folder of documents and recordings."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield Member(OBJECTS + path.relative_to(folder).as_posix(), path)


def _manifest(tar: tarfile.TarFile) -> dict[str, Any]:
    handle: IO[bytes] | None = tar.extractfile(MANIFEST)
    manifest: dict[str, Any] = json.loads(handle.read()) if handle else {}
    if manifest.get("format") != FORMAT:
        raise ValueError(f"its format is {manifest.get('format')}, this release reads {FORMAT}")
    return manifest


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
