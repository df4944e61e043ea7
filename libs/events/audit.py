"""The record of a user's write for the audit log: one event in the transaction that did it.

identity keeps the log (services/identity/subscribers.py). An event and not a row of another schema, because a service
writes its own schema alone; with its outbox the record is there if and only if the write is.
"""

import json
from functools import partial

from echosenseix.events.v1 import events_pb2
from libs.bus.subjects import outbox_wakeup
from libs.context import current_call
from libs.events.envelope import Event
from libs.postgres.connection import Connection, RecordAudit, announce_after_commit
from libs.rpc.context import inbound_principal

_TOPIC = "audit.recorded"
# The organization is the one that the transaction ends in: a registration makes its own. Under a name that is none,
# as of an address that is not verified, nothing is recorded.
_INSERT = """
insert into outbox (event_id, org_id, topic, key, payload, headers)
select $1, w.org, $2, w.org,
    jsonb_set(jsonb_set(jsonb_set($3::jsonb, '{orgid}', to_jsonb(w.org)), '{partitionkey}', to_jsonb(w.org)),
        '{data,changes}', to_jsonb(w.changes))::json,
    jsonb_build_object('service', $4::text)
from (
    select current_setting('app.org', true) as org, coalesce(current_setting('app.audit_changes', true), '') as changes
) w
where w.org like 'org\\_%'"""


def audit_recorder(service: str) -> RecordAudit:
    """What `Database.audit_through` takes: writes the current call's record as this service."""
    return partial(_record, service)


async def _record(service: str, conn: Connection) -> None:
    call, principal = current_call(), inbound_principal()
    audited = call.audited
    if audited is None:
        return
    data = events_pb2.AuditRecorded(
        audit_id=audited.id,
        action=audited.action,
        target_id=audited.target_id,
        client_address=audited.client_address,
        request_id=call.request_id,
        user_id=audited.user_id,
        session_id=audited.session_id,
    )
    if principal is not None and principal.org_id:
        data.user_id, data.session_id = principal.user_id, principal.session_id
        data.api_key_id, data.role = principal.api_key_id, principal.role
    event = Event(topic=_TOPIC, org_id="org_", key="org_", data=data, subject=audited.id, service=service)
    payload = json.dumps(event.envelope(), separators=(",", ":"))
    await conn.execute(_INSERT, event.id, _TOPIC, payload, service)
    announce_after_commit(conn, outbox_wakeup(service))
