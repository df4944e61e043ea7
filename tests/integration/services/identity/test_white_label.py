"""White-label settings and hosts, proved by TXT records of a name server that runs here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask

from echosenseix.identity.v1 import white_label_pb2 as pb
from libs.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, Unavailable
from libs.ids import new_id
from libs.postgres.quotas import Quotas
from libs.rpc.principal import Principal
from services.identity.host_proofs import HostProofs
from services.identity.operations.hosts import HostChecks
from services.identity.servicer.white_label import WhiteLabelServicer
from suite.tables import QUOTAS
from tests.unit.services.identity.domain.test_white_label import png

from .conftest import Service, acting, address, as_gateway
from .test_children import SUSPENDED, create, edit, within
from .test_invitations import invite
from .test_own_account import forget


class NameServer(asyncio.DatagramProtocol):
    """Answers TXT questions from `records`; to a name in `silent` it says nothing."""

    def __init__(self) -> None:
        self.records: dict[str, list[str]] = {}
        self.silent: set[str] = set()
        self.asked: list[str] = []

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        asked = dns.message.from_wire(data)
        name = asked.question[0].name.to_text(omit_final_dot=True)
        self.asked.append(name)
        if name in self.silent:
            return
        answer = dns.message.make_response(asked)
        answer.flags |= dns.flags.AA
        if name in self.records:
            answer.answer.append(dns.rrset.from_text_list(asked.question[0].name, 1, "IN", "TXT", self.records[name]))
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(answer.to_wire(), addr)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def names() -> AsyncIterator[tuple[NameServer, str]]:
    """The server and its address."""
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        NameServer, local_addr=("127.0.0.1", 0)
    )
    yield server, "127.0.0.1:{}".format(transport.get_extra_info("sockname")[1])
    transport.close()


@pytest.fixture
def labels(service: Service, names: tuple[NameServer, str]) -> WhiteLabelServicer:
    return WhiteLabelServicer(service.children._parts, HostProofs([names[1]]))


async def change(
    labels: WhiteLabelServicer, who: Principal, *, logo: bytes | None = None, **fields: Any
) -> pb.WhiteLabel:
    paths = [*fields, *(["logo"] if logo is not None else [])]
    request = pb.UpdateWhiteLabelRequest(
        white_label=pb.WhiteLabel(**fields), logo=logo or b"", update_mask=FieldMask(paths=paths)
    )
    with acting(who):
        return (await labels.UpdateWhiteLabel(request, None)).white_label


async def add(labels: WhiteLabelServicer, who: Principal, host: str) -> pb.WhiteLabelHost:
    with acting(who):
        return (await labels.AddHost(pb.AddHostRequest(host=host), None)).host


async def verify(labels: WhiteLabelServicer, who: Principal, host_id: str) -> pb.WhiteLabelHost:
    with acting(who):
        return (await labels.VerifyHost(pb.VerifyHostRequest(id=host_id), None)).host


async def public(labels: WhiteLabelServicer, host: str) -> pb.WhiteLabel:
    with as_gateway():
        return (await labels.GetPublicWhiteLabel(pb.GetPublicWhiteLabelRequest(host=host), None)).white_label


def fresh_host() -> str:
    return f"{new_id('h').replace('_', '-')}.example.com"


async def proved(labels: WhiteLabelServicer, server: NameServer, who: Principal, host: str) -> pb.WhiteLabelHost:
    made = await add(labels, who, host)
    server.records.setdefault(made.record_name, []).append(f'"{made.record_value}"')
    return await verify(labels, who, made.id)


async def test_settings_begin_as_the_suites_and_change_by_field(service: Service, labels: WhiteLabelServicer) -> None:
    who = (await service.member()).principal
    with acting(who):
        before = (await labels.GetWhiteLabel(pb.GetWhiteLabelRequest(), None)).white_label
    assert (before.product_name, before.version) == ("EchoSenseiX", 0)
    first = await change(labels, who, product_name="Engines")
    second = await change(labels, who, logo=png(64, 64))
    third = await change(labels, who, support_email="help@example.com")
    assert (third.product_name, third.logo_digest, third.version) == ("Engines", second.logo_digest, 3)
    assert (first.logo_digest, len(second.logo_digest)) == ("", 64)
    with as_gateway():
        logo = await labels.GetLogo(pb.GetLogoRequest(digest=second.logo_digest), None)
    assert (logo.media_type, logo.content) == ("image/png", png(64, 64))
    assert (await change(labels, who, logo=b"")).logo_digest == ""
    for digest in (second.logo_digest, "", "x", "\x00"):
        with as_gateway(), pytest.raises(NotFound, match="logo_not_found"):
            await labels.GetLogo(pb.GetLogoRequest(digest=digest), None)
    with pytest.raises(InvalidArgument) as refused:
        await change(labels, who, primary_color="#ffff00", support_url="ftp://x")
    assert [found.pointer for found in refused.value.violations] == ["#/primaryTextColor", "#/supportUrl"]


async def test_two_first_settings_at_once_are_both_kept(service: Service, labels: WhiteLabelServicer) -> None:
    who = (await service.member()).principal
    await asyncio.gather(
        change(labels, who, product_name="Engines"), change(labels, who, support_email="help@example.com")
    )
    with acting(who):
        found = (await labels.GetWhiteLabel(pb.GetWhiteLabelRequest(), None)).white_label
    assert (found.product_name, found.support_email, found.version) == ("Engines", "help@example.com", 2)


async def test_a_host_shows_the_organization_once_its_record_is_there(
    service: Service, labels: WhiteLabelServicer, names: tuple[NameServer, str]
) -> None:
    who, host, (server, _) = (await service.member()).principal, fresh_host(), names
    await change(labels, who, product_name="Engines")
    made = await add(labels, who, host.upper())
    assert (made.host, made.record_name) == (host, f"_echosenseix.{host}")
    for records in (None, ['"something else"']):
        if records:
            server.records[made.record_name] = records
        with pytest.raises(FailedPrecondition, match="host_unproved"):
            await verify(labels, who, made.id)
        assert (await public(labels, host)).product_name == "EchoSenseiX"
    server.records[made.record_name].append(f'"{made.record_value}"')
    assert (await verify(labels, who, made.id)).HasField("verify_time")
    assert (await public(labels, host)).product_name == "Engines"
    with acting(who):
        await labels.RemoveHost(pb.RemoveHostRequest(id=made.id), None)
    assert (await public(labels, host)).product_name == "EchoSenseiX"


async def test_unknown_waiting_and_impossible_hosts_answer_alike(service: Service, labels: WhiteLabelServicer) -> None:
    who, waiting = (await service.member()).principal, fresh_host()
    await change(labels, who, product_name="Engines")
    await add(labels, who, waiting)
    answers = [await public(labels, host) for host in (fresh_host(), waiting, "", "127.0.0.1", "\x00", "x" * 300)]
    assert all(answer == answers[0] for answer in answers)


async def test_another_organization_cannot_take_a_host_while_its_record_stands(
    service: Service, labels: WhiteLabelServicer, names: tuple[NameServer, str]
) -> None:
    first, second = (await service.member()).principal, (await service.member()).principal
    host, (server, _) = fresh_host(), names
    await change(labels, first, product_name="First")
    await change(labels, second, product_name="Second")
    held = await proved(labels, server, first, host)
    with pytest.raises(FailedPrecondition, match="host_taken"):
        await proved(labels, server, second, host)
    # The zone has another owner: the first one's record is gone.
    server.records[held.record_name] = [one for one in server.records[held.record_name] if held.record_value not in one]
    with acting(second):
        (waiting,) = (await labels.ListHosts(pb.ListHostsRequest(), None)).hosts
    await verify(labels, second, waiting.id)
    assert (await public(labels, host)).product_name == "Second"
    with acting(first):
        (lost,) = (await labels.ListHosts(pb.ListHostsRequest(), None)).hosts
    assert not lost.HasField("verify_time")


async def test_hosts_of_another_organization_look_like_none(service: Service, labels: WhiteLabelServicer) -> None:
    owner, stranger = (await service.member()).principal, (await service.member()).principal
    made = await add(labels, owner, fresh_host())
    for host_id in (made.id, new_id("wlh"), "\x00"):
        with pytest.raises(NotFound, match="host_not_found"):
            await verify(labels, stranger, host_id)
        with acting(stranger), pytest.raises(NotFound, match="host_not_found"):
            await labels.RemoveHost(pb.RemoveHostRequest(id=host_id), None)
    with acting(stranger):
        assert not (await labels.ListHosts(pb.ListHostsRequest(), None)).hosts
    with pytest.raises(FailedPrecondition, match="host_exists"):
        await add(labels, owner, made.host)


async def test_a_silent_name_server_is_told_and_changes_nothing(
    service: Service, labels: WhiteLabelServicer, names: tuple[NameServer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.identity.host_proofs.LOOKUP_SECONDS", 0.2)
    who, host = (await service.member()).principal, fresh_host()
    made = await add(labels, who, host)
    names[0].silent.add(made.record_name)
    with pytest.raises(Unavailable, match="dns_unavailable"):
        await verify(labels, who, made.id)


async def test_a_suspended_organization_shows_nothing(
    service: Service, labels: WhiteLabelServicer, names: tuple[NameServer, str]
) -> None:
    agency, host = await service.member(), fresh_host()
    child = await create(service, agency.principal)
    here = await within(service, child.id, token=agency.token)
    await change(labels, here, product_name="Customer")
    await proved(labels, names[0], here, host)
    assert (await public(labels, host)).product_name == "Customer"
    await edit(service, agency.principal, child.id, status=SUSPENDED)
    assert (await public(labels, host)).product_name == "EchoSenseiX"


async def test_invitations_name_the_product_and_those_of_a_customer_its_agencys(
    service: Service, labels: WhiteLabelServicer
) -> None:
    agency = await service.member()
    child = await create(service, agency.principal)
    here = await within(service, child.id, token=agency.token)

    async def named(who: Principal) -> str:
        email = address()
        await invite(service, who, email)
        return (await service.mails(email))[-1]["productName"]

    assert (await named(agency.principal), await named(here)) == ("", "")
    await change(labels, agency.principal, product_name="Agency Voice")
    assert (await named(agency.principal), await named(here)) == ("Agency Voice", "Agency Voice")
    await change(labels, here, product_name="Customer Voice")
    assert await named(here) == "Customer Voice"


async def test_scopes_and_the_quota_hold(
    service: Service, labels: WhiteLabelServicer, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = (await service.member()).principal
    reader = replace(who, scopes=frozenset({"members:read"}))
    writes = (change(labels, reader, product_name="x"), add(labels, reader, "a.example"), verify(labels, reader, "x"))
    for write in writes:
        with pytest.raises(PermissionDenied, match="missing_scope"):
            await write
    monkeypatch.setattr(service.database, "quotas", Quotas(QUOTAS["identity"], {"white_label_hosts": 1}))
    await add(labels, who, fresh_host())
    with pytest.raises(FailedPrecondition, match="quota_reached"):
        await add(labels, who, fresh_host())


async def test_a_repeated_verification_asks_no_name_server(
    service: Service, labels: WhiteLabelServicer, names: tuple[NameServer, str]
) -> None:
    who, (server, _) = (await service.member()).principal, names
    made = await add(labels, who, fresh_host())
    request = pb.VerifyHostRequest(id=made.id)
    with acting(who, key="verify", fingerprint="f"), pytest.raises(FailedPrecondition, match="host_unproved"):
        await labels.VerifyHost(request, None)
    server.records[made.record_name] = [f'"{made.record_value}"']
    with acting(who, key="verify", fingerprint="f"):
        first = await labels.VerifyHost(request, None)
    asked = len(server.asked)
    del server.records[made.record_name]
    for _ in range(2):
        with acting(who, key="verify", fingerprint="f") as call:
            assert await labels.VerifyHost(request, None) == first
            assert call.response_headers == {"x-idempotency-replayed": "true"}
    assert len(server.asked) == asked
    with acting(who, key="verify", fingerprint="other"), pytest.raises(InvalidArgument, match="idempotency_key_reused"):
        await labels.VerifyHost(request, None)
    assert len(server.asked) == asked


async def look(service: Service, checks: HostChecks) -> dict[str, int]:
    """One run of the job."""
    found = await checks.look(service.clock.now())
    async with service.database.system_transaction() as conn:
        return dict(await checks.keep(conn, found))


@pytest_asyncio.fixture(loop_scope="session")
async def checks(service: Service, names: tuple[NameServer, str]) -> HostChecks:
    """Hosts of other tests are looked at before, so that a test counts its own alone."""
    made = HostChecks(service.children._parts.labels, HostProofs([names[1]]))
    await look(service, made)
    return made


async def shown(labels: WhiteLabelServicer, who: Principal) -> pb.WhiteLabelHost:
    with acting(who):
        (host,) = (await labels.ListHosts(pb.ListHostsRequest(), None)).hosts
    return host


async def test_a_host_whose_record_is_gone_for_a_week_is_lost(
    service: Service, labels: WhiteLabelServicer, names: tuple[NameServer, str], checks: HostChecks
) -> None:
    member, (server, _) = await service.member(), names
    who, host, org = member.principal, fresh_host(), member.user.organization_id
    await change(labels, who, product_name="Engines")
    made = await proved(labels, server, who, host)
    # A fresh proof is not looked at again at once.
    assert (await look(service, checks))["checked"] == 0
    service.clock.advance(24 * 3600)
    await look(service, checks)
    assert not (await shown(labels, who)).HasField("missing_since_time")
    before, kept = await service.events(org), server.records.pop(made.record_name)
    for day in range(1, 9):
        service.clock.advance(24 * 3600)
        await look(service, checks)
        told = (await service.events(org))[len(before) :]
        if day < 8:
            assert told == ["white_label_host.missing"]
            assert (await public(labels, host)).product_name == "Engines"
            assert (await shown(labels, who)).HasField("missing_since_time")
    assert told == ["white_label_host.missing", "white_label_host.lost"]
    assert (await public(labels, host)).product_name == "EchoSenseiX"
    assert not (await shown(labels, who)).HasField("verify_time")
    # Set again, it is proved as at first.
    server.records[made.record_name] = kept
    assert (await verify(labels, who, made.id)).HasField("verify_time")
    assert not (await shown(labels, who)).HasField("missing_since_time")


async def test_a_record_that_comes_back_and_a_silent_name_server_lose_no_host(
    service: Service, labels: WhiteLabelServicer, names: tuple[NameServer, str], checks: HostChecks,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("services.identity.host_proofs.LOOKUP_SECONDS", 0.2)
    who, host, (server, _) = (await service.member()).principal, fresh_host(), names
    made = await proved(labels, server, who, host)
    kept = server.records.pop(made.record_name)
    for _ in range(6):
        service.clock.advance(24 * 3600)
        await look(service, checks)
    server.records[made.record_name] = kept
    service.clock.advance(24 * 3600)
    await look(service, checks)
    assert not (await shown(labels, who)).HasField("missing_since_time")
    server.silent.add(made.record_name)
    for _ in range(9):
        service.clock.advance(24 * 3600)
        await look(service, checks)
    assert (await shown(labels, who)).HasField("verify_time")
    assert not (await shown(labels, who)).HasField("missing_since_time")


async def test_what_a_run_saw_does_not_undo_what_was_proved_meanwhile(
    service: Service, labels: WhiteLabelServicer, names: tuple[NameServer, str], checks: HostChecks
) -> None:
    who, (server, _) = (await service.member()).principal, names
    made = await proved(labels, server, who, fresh_host())
    service.clock.advance(24 * 3600)
    kept = server.records.pop(made.record_name)
    found = await checks.look(service.clock.now())
    server.records[made.record_name] = kept
    service.clock.advance(1)
    await verify(labels, who, made.id)
    async with service.database.system_transaction() as conn:
        await checks.keep(conn, found)
    assert not (await shown(labels, who)).HasField("missing_since_time")


async def test_a_run_looks_at_few_hosts_and_the_next_one_at_others(
    service: Service, labels: WhiteLabelServicer, names: tuple[NameServer, str], checks: HostChecks,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("services.identity.operations.hosts.MOST_AT_ONCE", 2)
    who, (server, _) = (await service.member()).principal, names
    made = [await proved(labels, server, who, fresh_host()) for _ in range(5)]
    service.clock.advance(24 * 3600)
    begun = len(server.asked)
    while (await look(service, checks))["checked"]:
        pass
    asked = [name for name in server.asked[begun:] if name in {host.record_name for host in made}]
    assert sorted(asked) == sorted(host.record_name for host in made)


async def test_invitations_link_to_the_proved_host_and_links_of_accounts_never_do(
    service: Service, labels: WhiteLabelServicer, names: tuple[NameServer, str], checks: HostChecks
) -> None:
    agency, host, (server, _) = await service.member(), fresh_host(), names
    child = await create(service, agency.principal)
    here = await within(service, child.id, token=agency.token)

    async def linked(who: Principal) -> str:
        email = address()
        await invite(service, who, email)
        return (await service.mails(email))[-1]["link"].partition("#")[0]

    usual = await linked(agency.principal)
    assert await linked(here) == usual
    made = await proved(labels, server, agency.principal, host)
    own = f"https://{host}/{usual.split('/', 3)[3]}"
    assert (await linked(agency.principal), await linked(here)) == (own, own)
    await forget(service, agency.user.email)
    assert host not in (await service.mails(agency.user.email))[-1]["link"]
    # Nothing is sent to a host that may be gone.
    del server.records[made.record_name]
    service.clock.advance(24 * 3600)
    await look(service, checks)
    assert await linked(agency.principal) == usual


async def test_a_customer_without_settings_shows_its_agencys_at_its_host(
    service: Service, labels: WhiteLabelServicer, names: tuple[NameServer, str]
) -> None:
    agency, host = await service.member(), fresh_host()
    child = await create(service, agency.principal)
    here = await within(service, child.id, token=agency.token)
    await proved(labels, names[0], here, host)
    assert (await public(labels, host)).product_name == "EchoSenseiX"
    await change(labels, agency.principal, product_name="Agency Voice")
    assert (await public(labels, host)).product_name == "Agency Voice"
    await change(labels, here, product_name="Customer Voice")
    assert (await public(labels, host)).product_name == "Customer Voice"
