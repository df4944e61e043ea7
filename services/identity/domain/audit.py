"""The audit log as values, and its hash chain.

A seal covers the entries after the one before it: SHA-256 over the previous seal's hash and every entry's canonical
JSON. Who changes, adds or removes an entry, or a seal, has to change every hash after it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

# What the first seal of an organization follows.
BEGINNING = "0" * 64


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One write of a user. `number` counts within the organization from 1; `changes` is JSON text or empty."""

    org_id: str
    number: int
    id: str
    created_at: datetime
    action: str
    target_id: str
    user_id: str
    session_id: str
    api_key_id: str
    role: str
    service: str
    ip_address: str
    request_id: str
    changes: str


@dataclass(frozen=True, slots=True)
class AuditSeal:
    org_id: str
    number: int
    first_number: int
    last_number: int
    previous_hash: str
    hash: str
    created_at: datetime


def chain_hash(previous_hash: str, entries: Iterable[AuditEntry]) -> str:
    """The hash of a seal over these entries, in their order."""
    digest = hashlib.sha256(previous_hash.encode())
    for entry in entries:
        digest.update(hashlib.sha256(_canonical(entry)).digest())
    return digest.hexdigest()


def seal_after(last: AuditSeal | None, entries: Sequence[AuditEntry], now: datetime) -> AuditSeal:
    """The next seal. `entries` are all that follow the last one, at least one."""
    previous = last.hash if last else BEGINNING
    return AuditSeal(
        org_id=entries[0].org_id,
        number=(last.number if last else 0) + 1,
        first_number=entries[0].number,
        last_number=entries[-1].number,
        previous_hash=previous,
        hash=chain_hash(previous, entries),
        created_at=now,
    )


def check_seal(seal: AuditSeal, before: AuditSeal | None, entries: Sequence[AuditEntry]) -> str:
    """What is wrong with a seal and the entries that it covers; empty when nothing is. `before` is None for the oldest
    that is kept, whose predecessor was forgotten unless it is number 1."""
    if before is not None and (seal.number, seal.previous_hash) != (before.number + 1, before.hash):
        return f"seal {seal.number} does not follow seal {before.number}"
    if before is not None and seal.first_number != before.last_number + 1:
        return f"entries between {before.last_number} and {seal.first_number} are missing"
    if before is None and seal.number == 1 and (seal.previous_hash, seal.first_number) != (BEGINNING, 1):
        return "the first seal does not begin the chain"
    if [entry.number for entry in entries] != list(range(seal.first_number, seal.last_number + 1)):
        return f"entries {seal.first_number} to {seal.last_number} are not all there"
    if chain_hash(seal.previous_hash, entries) != seal.hash:
        return f"an entry of {seal.first_number} to {seal.last_number} was changed"
    return ""


def _canonical(entry: AuditEntry) -> bytes:
    moment = entry.created_at.astimezone(UTC).isoformat(timespec="microseconds")
    fields = [
        entry.org_id, entry.number, entry.id, moment, entry.action, entry.target_id, entry.user_id, entry.session_id,
        entry.api_key_id, entry.role, entry.service, entry.ip_address, entry.request_id, entry.changes,
    ]  # fmt: skip
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
