"""Which mails an owner gets: the choice of the user, the link of a mail, and what the sender does with both."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from echosenseix.realtime.v1 import realtime_pb2 as pb
from libs.config import load
from libs.crypto import Envelope
from libs.errors import FailedPrecondition, InvalidArgument, NotFound
from libs.rpc.context import CallContext, serving
from libs.rpc.principal import Principal
from services.realtime.config import RealtimeSettings
from services.realtime.domain.mail import MailRequest
from services.realtime.domain.notifications import Notification
from services.realtime.operations import write_to_address
from services.realtime.outbound.unsubscribe import Recipient, UnsubscribeLinks
from services.realtime.servicer import NotificationServicer
from suite.mails import MailTemplate
from tests.integration.services.realtime.driving import Environment, Realtime, working
from tests.integration.services.realtime.mail_server import MailServer

ADA, BOB = "usr_ada", "usr_bob"


def session(org_id: str, user_id: str = ADA, session_id: str = "ses_1") -> Principal:
    return Principal(org_id=org_id, user_id=user_id, session_id=session_id, role="owner", issuer="gateway")


@pytest.fixture
def servicer(realtime: Realtime, service_environment: Environment) -> NotificationServicer:
    return NotificationServicer(realtime.database, links_of(service_environment))


def links_of(environment: Environment) -> UnsubscribeLinks:
    settings = load(RealtimeSettings, environment("realtime", "unused"))
    return UnsubscribeLinks(Envelope(settings.encryption_keys), settings.console_url)


async def choose(servicer: NotificationServicer, who: Principal, **sent: bool) -> pb.Notifications:
    request = pb.UpdateNotificationsRequest(
        notifications=pb.Notifications(**sent), update_mask=FieldMask(paths=list(sent))
    )
    with serving(CallContext(), who):
        return (await servicer.UpdateNotifications(request, None)).notifications


async def chosen(servicer: NotificationServicer, who: Principal) -> pb.Notifications:
    with serving(CallContext(), who):
        return (await servicer.GetNotifications(pb.GetNotificationsRequest(), None)).notifications


async def owners(realtime: Realtime, org_id: str, users: Sequence[str] = (ADA, BOB)) -> None:
    for user_id in users:
        await realtime.emit(org_id, "user.created", userId=user_id, email=f"{user_id[4:]}@example.com", role="owner")


async def mailed(realtime: Realtime, org_id: str) -> list[str]:
    """The recipients in the mailbox, once all jobs of mails have ended."""
    async with asyncio.timeout(20):
        while True:
            jobs = await realtime.database.system_fetch(
                "select state from job where org_id = $1 and kind = 'email.send'", org_id
            )
            if jobs and {job["state"] for job in jobs} == {"completed"}:
                break
            await asyncio.sleep(0.02)
    rows = await realtime.database.system_fetch("select recipients from mail where org_id = $1 order by 1", org_id)
    return [row["recipients"][0] for row in rows]


async def credit_low(realtime: Realtime, org_id: str) -> None:
    await realtime.emit(org_id, "credit.low", availableMicros="1500000", currency="USD")


async def test_all_mails_are_sent_until_a_user_says_otherwise_for_itself(
    realtime: Realtime, servicer: NotificationServicer
) -> None:
    assert await chosen(servicer, session("org_n1")) == pb.Notifications(credit_low=True, webhook_endpoints=True)
    for _ in range(2):
        ended = await choose(servicer, session("org_n1"), credit_low=False)
        assert ended == await chosen(servicer, session("org_n1")) == pb.Notifications(webhook_endpoints=True)
    for other in (session("org_n1", BOB), session("org_n1b")):
        assert (await chosen(servicer, other)).credit_low
    assert (await choose(servicer, session("org_n1"), credit_low=True)).credit_low


async def test_a_key_and_an_unknown_kind_are_refused(servicer: NotificationServicer) -> None:
    with pytest.raises(FailedPrecondition):
        await chosen(servicer, session("org_n2", session_id=""))
    with serving(CallContext(), session("org_n2")), pytest.raises(InvalidArgument):
        await servicer.UpdateNotifications(
            pb.UpdateNotificationsRequest(update_mask=FieldMask(paths=["password_changed"])), None
        )


async def test_the_sender_leaves_out_who_ended_mails_of_the_kind(
    realtime: Realtime, service_environment: Environment, servicer: NotificationServicer
) -> None:
    await owners(realtime, "org_n3")
    await choose(servicer, session("org_n3"), credit_low=False)
    await choose(servicer, session("org_n3", BOB), webhook_endpoints=False)
    await credit_low(realtime, "org_n3")
    async with working(realtime, service_environment):
        assert await mailed(realtime, "org_n3") == ["bob@example.com"]


async def test_an_organization_whose_owners_all_ended_them_has_no_failed_job(
    realtime: Realtime, service_environment: Environment, servicer: NotificationServicer
) -> None:
    await owners(realtime, "org_n4", [ADA])
    await choose(servicer, session("org_n4"), credit_low=False)
    await credit_low(realtime, "org_n4")
    async with working(realtime, service_environment):
        assert await mailed(realtime, "org_n4") == []


async def test_a_mail_has_text_html_and_a_signed_way_out_that_works_once_and_again(
    realtime: Realtime, service_environment: Environment, servicer: NotificationServicer
) -> None:
    await owners(realtime, "org_n5", [ADA])
    await credit_low(realtime, "org_n5")
    async with MailServer() as server, working(realtime, service_environment, smtp_url=server.url):
        await mailed(realtime, "org_n5")
    # As it was sent: a mail program reads no encoded words in this field.
    assert re.search(r"^List-Unsubscribe: <https?://[^>\s]+>\r$", server.messages[0], re.MULTILINE)
    message = email.message_from_string(server.messages[0].removesuffix("\r\n.\r\n"), policy=email.policy.default)
    plain, html = message.iter_parts()
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    address = message["List-Unsubscribe"].strip("<>")
    token = address.rpartition("/")[2]
    assert f"/app#/unsubscribe/{token}" in plain.get_content()
    assert f"/app#/unsubscribe/{token}" in html.get_content()
    for _ in range(2):
        await servicer.Unsubscribe(pb.UnsubscribeRequest(token=token), None)
        assert await chosen(servicer, session("org_n5")) == pb.Notifications(webhook_endpoints=True)
    with pytest.raises(NotFound):
        await servicer.Unsubscribe(pb.UnsubscribeRequest(token=token[:-1]), None)


async def test_a_mail_about_security_has_no_way_out(realtime: Realtime, service_environment: Environment) -> None:
    async with realtime.database.transaction("org_n6") as connection:
        asked = MailRequest(MailTemplate.PASSWORD_CHANGED, "ada@example.com", "acc_1", {})
        await write_to_address(connection, "org_n6", asked)
    async with MailServer() as server, working(realtime, service_environment, smtp_url=server.url):
        await mailed(realtime, "org_n6")
    assert "List-Unsubscribe" not in server.messages[0]
    assert "unsubscribe" not in server.messages[0]


async def test_the_choices_of_a_removed_user_are_forgotten(
    realtime: Realtime, service_environment: Environment, servicer: NotificationServicer
) -> None:
    await owners(realtime, "org_n7", [ADA])
    await choose(servicer, session("org_n7"), credit_low=False)
    await realtime.emit("org_n7", "user.removed", userId=ADA, email="ada@example.com", role="owner")
    # Nor does a link of an older mail bring them back.
    token = links_of(service_environment).token(Recipient("org_n7", ADA, Notification.CREDIT_LOW))
    await servicer.Unsubscribe(pb.UnsubscribeRequest(token=token), None)
    assert await realtime.database.system_fetch("select 1 from mail_opt_out where org_id = 'org_n7'") == []


async def test_choices_are_made_in_the_own_organization_alone(servicer: NotificationServicer) -> None:
    """A user of an agency is none of its customer, so no event would ever end what it wrote there."""
    within = replace(session("org_n8"), home_org_id="org_agency")
    for act in (choose(servicer, within, credit_low=False), chosen(servicer, within)):
        with pytest.raises(FailedPrecondition, match="own_organization_required"):
            await act
