"""Rate limits that operators set for an organization: who may, and what a credential then tells."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from echosenseix.identity.v1 import operators_pb2 as pb
from libs.errors import InvalidArgument, NotFound, PermissionDenied
from libs.ids import new_id
from libs.rpc.principal import Principal
from services.identity.servicer import OperatorServicer

from .conftest import Service, acting
from .test_children import create

Ask = Callable[[OperatorServicer, Principal, str], Awaitable[object]]


async def put(
    servicer: OperatorServicer, who: Principal, org_id: str, percent: int = 250, reason: str = "Plan Scale"
) -> pb.RequestLimits:
    limits = pb.RequestLimits(organization_id=org_id, percent=percent, reason=reason)
    with acting(who):
        return (await servicer.PutRequestLimits(pb.PutRequestLimitsRequest(limits=limits), None)).limits


async def get(servicer: OperatorServicer, who: Principal, org_id: str) -> pb.RequestLimits:
    with acting(who):
        return (await servicer.GetRequestLimits(pb.GetRequestLimitsRequest(organization_id=org_id), None)).limits


async def check(servicer: OperatorServicer, who: Principal, org_id: str) -> pb.CheckOperatorResponse:
    with acting(who):
        return await servicer.CheckOperator(pb.CheckOperatorRequest(), None)


async def test_a_plan_is_told_with_every_credential_of_the_organization(service: Service) -> None:
    operator, member = await service.member(), await service.member()
    servicer = OperatorServicer(service.database, (operator.principal.org_id,))
    key, child = await service.make_key(member), await create(service, member.principal)

    async def told() -> tuple[int, int, int]:
        answers = (
            await service.who(token=member.token),
            await service.who(key=key.secret),
            await service.who(token=member.token, within=child.id),
        )
        first, second, third = (answer.limit_percent for answer in answers)
        return first, second, third

    org_id = member.principal.org_id
    assert await told() == (100, 100, 100)
    assert (await get(servicer, operator.principal, org_id)).percent == 100
    made = await put(servicer, operator.principal, org_id)
    assert (made.percent, made.reason) == (250, "Plan Scale")
    # In a customer of the organization that customer's own plan counts.
    assert await told() == (250, 250, 100)
    await put(servicer, operator.principal, child.id, 50, "Trial")
    assert await told() == (250, 250, 50)
    assert (await service.who(token=operator.token)).limit_percent == 100
    await put(servicer, operator.principal, org_id, 100, "")
    assert await told() == (100, 100, 50)


async def test_only_operators_at_home_may_and_unknown_organizations_are_told(service: Service) -> None:
    operator, member = await service.member(), await service.member()
    servicer = OperatorServicer(service.database, (operator.principal.org_id,))
    strangers = (
        member.principal,
        replace(operator.principal, home_org_id=member.principal.org_id),
        replace(operator.principal, org_id=""),
    )
    for ask in (put, get, check):
        asked: Ask = ask
        for who in strangers:
            with pytest.raises(PermissionDenied, match="operators_only"):
                await asked(servicer, who, member.principal.org_id)
        narrow = replace(operator.principal, scopes=frozenset({"members:write"}))
        with pytest.raises(PermissionDenied, match="missing_scope"):
            await asked(servicer, narrow, member.principal.org_id)
        if ask is check:
            continue
        for gone in (new_id("org"), new_id("usr"), "", "\x00"):
            with pytest.raises(NotFound, match="organization_not_found"):
                await asked(servicer, operator.principal, gone)
    await check(servicer, operator.principal, "")
    nowhere = OperatorServicer(service.database, ())
    with pytest.raises(PermissionDenied, match="operators_only"):
        await put(nowhere, operator.principal, member.principal.org_id)
    first = OperatorServicer(service.database, None)
    oldest = await first._limits.first_organization()
    assert (await get(first, replace(operator.principal, org_id=oldest), oldest)).percent == 100


@pytest.mark.parametrize(
    ("percent", "reason", "pointers"),
    [
        (0, "x", ["#/percent"]),
        (-5, "x", ["#/percent"]),
        (10_001, "x", ["#/percent"]),
        (200, " ", ["#/reason"]),
        (200, "x" * 501, ["#/reason"]),
        (200, "a\x00b", ["#/reason"]),
        (0, "", ["#/percent", "#/reason"]),
    ],
)
async def test_what_is_no_plan_is_refused_with_its_place(
    service: Service, percent: int, reason: str, pointers: list[str]
) -> None:
    operator = await service.member()
    servicer = OperatorServicer(service.database, (operator.principal.org_id,))
    with pytest.raises(InvalidArgument) as refused:
        await put(servicer, operator.principal, operator.principal.org_id, percent, reason)
    assert [found.pointer for found in refused.value.violations] == pointers
