"""For which organization a service acts: shown by the request or the job that it works for, never claimed by itself.

A service that serves a user's request passes the user's principal on; only the gateway can have made it, and for that
service alone. A worker names its job and the lease; the callee asks the caller's own service whether that job runs.
See docs/adr/0025-callers-per-rpc.md.
"""

from collections.abc import Awaitable, Callable, Mapping

from echosenseix.jobs.v1 import jobs_pb2
from libs.context import current_call
from libs.errors import NotFound, PermissionDenied
from libs.rpc.context import require_service

ConfirmJob = Callable[[jobs_pb2.ConfirmJobRequest], Awaitable[jobs_pb2.ConfirmJobResponse]]


class Delegations:
    """`confirm`: by the name of each service whose workers call, its JobsService.ConfirmJob."""

    def __init__(self, confirm: Mapping[str, ConfirmJob] | None = None) -> None:
        self._confirm = dict(confirm or {})

    async def require(self, org_id: str) -> None:
        """PermissionDenied unless the calling service acts for this organization."""
        principal = require_service()
        acting = principal.org_id or await self._organization_of_job(principal.issuer)
        if not acting or acting != org_id:
            raise PermissionDenied("delegation_required", "Call on behalf of a request or a job of this organization.")

    async def _organization_of_job(self, caller: str) -> str:
        job_id, _, lease = current_call().caller_job.partition(" ")
        confirm = self._confirm.get(caller)
        if not lease or confirm is None:
            return ""
        try:
            return (await confirm(jobs_pb2.ConfirmJobRequest(job_id=job_id, lease=lease))).organization_id
        except NotFound:
            return ""
