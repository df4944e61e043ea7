"""The record of a user's write for the audit log: one event in the transaction that did it.

identity keeps the log (services/identity/subscribers.py). An event and not a row of another schema, because a service
writes its own schema alone; with its outbox the record is there if and only if the write is.
"""

import json
from functools import partial

from echosenseix.events.v1 import events_pb2
from libs.bus.subjects import outbox_wakeup
from libs.context import Audited, current_call
from libs.events.envelope import Event
from libs.postgres.connection import Connection, RecordAudit, announce_after_commit
from libs.rpc.context import inbound_principal
from libs.rpc.principal import Principal

_TOPIC = "audit.recorded"
# $5 is the organization of the record; empty: the one in which the transaction ends, such as the one that a
# registration makes. It gets no rows of another organization, unless the path named that one ($7), as an operator's
# does. Of a transaction that ends in no organization the changes come back, for the next one of the call ($6).
# The envelope is put together as text, because setting members of jsonb parses and writes it once a member.
KEPT_CHANGES = r"""
    select coalesce(string_agg((c.value - 'org')::text, ',' order by c.number), '') as changes
    from w, jsonb_array_elements(('[' || w.changes || ']')::jsonb) with ordinality c (value, number)
    where c.value ->> 'org' in (w.org, w.named) or c.value ->> 'org' like 'acc\_%'"""
_INSERT = rf"""
with w as (
    select coalesce(nullif($5::text, ''), current_setting('app.org', true)) as org,
        concat_ws(',', nullif($6::text, ''), nullif(current_setting('app.audit_changes', true), '')) as changes,
        $7::text as named
), kept as ({KEPT_CHANGES}
), recorded as (
    insert into outbox (event_id, org_id, topic, key, payload, headers)
    select $1, w.org, $2, $8,
        ('{{"orgid":' || to_json(w.org)::text || ',' || $3::text || to_json(kept.changes)::text || '}}}}')::json,
        jsonb_build_object('service', $4::text)
    from w, kept where w.org like 'org\_%'
    returning 1
)
select w.changes from w where not exists (select from recorded)"""


def audit_recorder(service: str) -> RecordAudit:
    """What `Database.audit_through` takes: writes the current call's record as this service."""
    return partial(_record, service)


async def _record(service: str, conn: Connection) -> bool:
    audited, principal = current_call().audited, inbound_principal()
    if audited is None:
        return False
    org_id = audited.org_id or (principal.org_id if principal else "")
    # In another organization the person is another user.
    known = principal if principal is not None and principal.org_id and principal.org_id == org_id else None
    unrecorded = await _insert(conn, service, _data(audited, known), org_id, audited.target_id)
    if unrecorded is not None:
        audited.changes = unrecorded
        return False
    if audited.also:
        await _insert(conn, service, _data(audited, known), audited.also, audited.target_id)
    if known is not None and known.home_org_id:
        # Who acts in another organization does so for its own one, whose log says where it acted and not what it saw.
        data = _data(audited, known)
        data.target_id = known.org_id
        await _insert(conn, service, data, known.home_org_id)
    announce_after_commit(conn, outbox_wakeup(service))
    return True


def sole_record(org_id: str, service: str) -> tuple[str, str, str, str] | None:
    """The current call's record for a write of this organization: event id, topic, key, and the event up to the JSON
    text of its changes, which two braces end. None where it takes several records, or changes of other transactions."""
    audited, known = current_call().audited, inbound_principal()
    if audited is None or known is None or known.org_id != org_id or known.home_org_id:
        return None
    if audited.org_id or audited.also or audited.changes:
        return None
    event = _event(_data(audited, known), service)
    return event.id, event.topic, event.key, f'{{"orgid":{json.dumps(org_id)},{_but_changes(event)}'


def _data(audited: Audited, known: Principal | None) -> events_pb2.AuditRecorded:
    data = events_pb2.AuditRecorded(
        audit_id=audited.id,
        action=audited.action,
        target_id=audited.target_id,
        client_address=audited.client_address,
        request_id=current_call().request_id,
        user_id=audited.user_id,
        session_id=audited.session_id,
    )
    if known is not None:
        data.user_id, data.session_id = known.user_id, known.session_id
        data.api_key_id, data.role = known.api_key_id, known.role
    return data


async def _insert(
    conn: Connection, service: str, data: events_pb2.AuditRecorded, org_id: str, named: str = ""
) -> str | None:
    """None when it is recorded, else the changes of a transaction that ended in no organization. `named` is an
    organization that the path named, whose rows are recorded too."""
    event = _event(data, service)
    audited = current_call().audited
    former = audited.changes if audited is not None else ""
    unrecorded: str | None = await conn.fetchval(
        _INSERT, event.id, _TOPIC, _but_changes(event), service, org_id, former, named, event.key
    )
    return unrecorded


def _event(data: events_pb2.AuditRecorded, service: str) -> Event:
    # Entries have no order among each other, so that each is an aggregate of its own: many are handled together.
    return Event(topic=_TOPIC, org_id="org_", key=data.audit_id, data=data, service=service)


def _but_changes(event: Event) -> str:
    """The envelope as JSON up to the value of its last member, the changes; without its first brace and the
    organization."""
    envelope = event.envelope()
    del envelope["orgid"], envelope["data"]["changes"]
    text = json.dumps(envelope, separators=(",", ":"))
    return text.removeprefix("{").removesuffix("}}") + ',"changes":'
