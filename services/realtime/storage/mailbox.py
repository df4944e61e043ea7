"""The mailbox that stands in for an SMTP server when none is named, readable under operations."""

from __future__ import annotations

from typing import Any

from libs.paging import CursorCodec, ListRules, Page, PageRequest
from libs.postgres import Connection, Database
from libs.postgres.listing import Listing, fetch_page
from services.realtime.domain.mail import Mail

MAIL_LIST = ListRules(sorts={"createdAt": "created_at"})
_mails = Listing(
    select="m.id, m.recipients, m.subject, m.body, m.created_at", source="mail m", rules=MAIL_LIST, tie="m.id"
)


_SWEEP = """
with counted as (
    select org_id, id, created_at, row_number() over (partition by org_id order by created_at desc, id desc) as place
    from mail
), old as (
    select org_id, id from counted where created_at < now() - make_interval(days => $1) or place > $2 limit $3
)
delete from mail m using old where m.org_id = old.org_id and m.id = old.id
"""


class Mailbox:
    def __init__(self, database: Database, codec: CursorCodec) -> None:
        self._database = database
        self._codec = codec

    async def list(self, org_id: str, request: PageRequest) -> Page[Mail]:
        page = await fetch_page(self._database, org_id, _mails, request, [], self._codec, ("mail",))
        return page.map(_mail_from_row)


async def add(conn: Connection, org_id: str, mail_id: str, recipient: str, subject: str, body: str) -> None:
    """Keep a mail once: a repeated job finds it there."""
    await conn.execute(
        "insert into mail (org_id, id, recipients, subject, body) values ($1, $2, $3, $4, $5) on conflict do nothing",
        org_id,
        mail_id,
        [recipient],
        subject,
        body,
    )


async def sweep(conn: Connection, older_than_days: int, kept: int, limit: int) -> int:
    """Delete a batch of mails that are too old or beyond the newest of their organization; returns how many."""
    return await conn.change(_SWEEP, older_than_days, kept, limit)


def _mail_from_row(row: Any) -> Mail:
    return Mail(row["id"], tuple(row["recipients"]), row["subject"], row["body"], row["created_at"])
