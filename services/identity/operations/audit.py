"""The check of the audit logs that operators run: the command verify-audit of docs/audit.md."""

from __future__ import annotations

import sys

from libs.config import ServiceSettings
from libs.postgres import Database
from services.identity.storage.audit import AuditChains


async def verify_audit(settings: ServiceSettings) -> int:
    """Check the hash chains of all audit logs; prints each fault. 1 when there is one."""
    database = await Database.open(settings, application_name="identity-verify")
    try:
        faults = [fault async for fault in AuditChains(database).faults()]
    finally:
        await database.close()
    sys.stdout.write("".join(f"{fault}\n" for fault in faults) or "every chain is whole\n")
    return 1 if faults else 0
