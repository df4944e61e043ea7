"""The mailbox that stands in for an SMTP server when none is named, readable under operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from libs.paging import CursorCodec, ListRules, Page, PageRequest
from libs.postgres import Connection, Database
from libs.postgres.listing import Listing, fetch_page
from services.realtime.domain.mail import Mail

MAIL_LIST = ListRules(sorts={"createdAt": "created_at"})
_mails = Listing(
    select="m.id, m.recipients, m.subject, m.body, m.created_at", source="mail m", rules=MAIL_LIST, tie="m.id"
)


class Mailbox:
    def __init__(self, database: Database, codec: CursorCodec) -> None:
        self._database = database
        self._codec = codec

    async def list(self, org_id: str, request: PageRequest) -> Page[Mail]:
        page = await fetch_page(self._database, org_id, _mails, request, [], self._codec, ("mail",))
        return page.map(_mail_from_row)


async def add(
    connection: Connection, org_id: str, mail_id: str, recipients: Sequence[str], subject: str, body: str
) -> None:
    """Keep a mail once: a repeated job finds it there."""
    await connection.execute(
        "insert into mail (org_id, id, recipients, subject, body) values ($1, $2, $3, $4, $5) on conflict do nothing",
        org_id,
        mail_id,
        list(recipients),
        subject,
        body,
    )


def _mail_from_row(row: Any) -> Mail:
    return Mail(row["id"], tuple(row["recipients"]), row["subject"], row["body"], row["created_at"])
