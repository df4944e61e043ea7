import asyncio
import time

import pytest

from libs.errors import PermissionDenied, Unauthenticated
from libs.rpc.context import (
    CallContext,
    acting_as,
    acting_principal,
    current_call,
    current_principal,
    inbound_principal,
    remaining_seconds,
    require_scope,
    require_service,
    serving,
    set_response_header,
)
from libs.rpc.principal import Principal, service_principal

MEMBER = Principal(org_id="org_1", user_id="usr_1", role="member", scopes=frozenset({"agents:read"}), issuer="gateway")


def test_outside_a_call_no_one_acts() -> None:
    assert inbound_principal() is None
    assert current_call() == CallContext()
    assert remaining_seconds() is None
    with pytest.raises(Unauthenticated):
        current_principal()


def test_a_call_and_its_principal_end_with_their_block() -> None:
    with serving(CallContext(request_id="req_1", deadline=time.monotonic() + 5), MEMBER) as call:
        set_response_header("x-version", "3")
        assert current_principal() is MEMBER
        assert 4 < (remaining_seconds() or 0) <= 5
    assert call.response_headers == {"x-version": "3"}
    assert inbound_principal() is None


def test_scopes_and_services_are_required() -> None:
    with serving(CallContext(), MEMBER):
        assert require_scope("agents:read") is MEMBER
        with pytest.raises(PermissionDenied) as caught:
            require_scope("agents:write")
        assert caught.value.metadata == {"scope": "agents:write"}
        with pytest.raises(PermissionDenied):
            require_service()
    for principal in (service_principal("billing"), Principal(role="gateway", issuer="gateway")):
        with serving(CallContext(), principal):
            assert require_service() is principal


def test_acting_as_is_only_for_outgoing_calls() -> None:
    with serving(CallContext(), MEMBER), acting_as(service_principal("agent")):
        assert current_principal() is MEMBER
        assert acting_principal() == service_principal("agent")
    assert acting_principal() is None


async def test_tasks_do_not_see_each_other() -> None:
    async def one(name: str) -> str:
        with serving(CallContext(request_id=name)):
            await asyncio.sleep(0)
            return current_call().request_id

    names = [f"req_{number}" for number in range(50)]
    assert await asyncio.gather(*map(one, names)) == names
