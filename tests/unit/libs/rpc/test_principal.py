import base64
import json
from dataclasses import replace

import pytest

from libs.errors import NotFound, PermissionDenied, Unauthenticated
from libs.ids import new_id
from libs.rpc.principal import Grants, Principal, PrincipalMinter, PrincipalVerifier, service_principal
from libs.rpc.server import _OPTIONS

USER = Principal("org_1", "usr_1", "ses_1", "", "member", frozenset({"agents:read", "calls:*"}), "gateway")


class Time:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


def _minter(issuer: str, time: Time, seed: bytes = b"1") -> PrincipalMinter:
    return PrincipalMinter(f"{issuer}={base64.b64encode(seed * 32).decode()}", time)


def _refused(verifier: PrincipalVerifier, token: str, audience: str = "agent") -> None:
    with pytest.raises(Unauthenticated) as caught:
        verifier.verify(token, audience)
    assert caught.value.reason == "invalid_principal"


def test_a_principal_arrives_as_it_was_minted(time: Time) -> None:
    gateway, agent = _minter("gateway", time), _minter("agent", time, b"2")
    verifier = PrincipalVerifier([gateway.public_key(), agent.public_key()], time)
    assert verifier.verify(gateway.mint(USER, "agent"), "agent") == USER
    service = service_principal("agent")
    assert verifier.verify(agent.mint(service, "agent"), "agent") == service


def test_grants_arrive_as_they_were_minted_and_two_of_the_largest_fit_into_the_metadata(time: Time) -> None:
    gateway = _minter("gateway", time)
    verifier = PrincipalVerifier([gateway.public_key()], time)
    ids = frozenset(new_id("agt") for _ in range(100))
    scopes = frozenset(f"area{number}:{verb}" for number in range(9) for verb in ("read", "write"))
    largest = replace(
        USER, org_id=new_id("org"), user_id=new_id("usr"), api_key_id=new_id("key"), home_org_id=new_id("org"),
        scopes=scopes, grants=Grants(ids, frozenset(sorted(ids)[:50])),
    )  # fmt: skip
    for grants in (Grants(), Grants(frozenset({"a"}), frozenset({"a"})), largest.grants):
        asked = replace(largest, grants=grants)
        assert verifier.verify(gateway.mint(asked, "agent"), "agent") == asked
    most = dict(_OPTIONS)["grpc.max_metadata_size"]
    assert 2 * len(gateway.mint(largest, "agent")) < most - 1024


def test_a_release_before_grants_refuses_a_principal_that_has_some(time: Time) -> None:
    _, payload, _ = _minter("gateway", time).mint(replace(USER, grants=Grants()), "agent").split(".")
    assert json.loads(base64.urlsafe_b64decode(payload + "=="))["aud"] == "agent+grants"


def test_a_limited_token_without_its_lists_is_refused(time: Time) -> None:
    gateway = _minter("gateway", time)
    verifier = PrincipalVerifier([gateway.public_key()], time)
    # The audience is what says that there are lists, so one minted without them names that audience by itself.
    _refused(verifier, gateway.mint(USER, "agent+grants"))
    assert verifier.verify(gateway.mint(USER, "agent"), "agent").grants is None


def test_what_is_outside_the_grants_is_missing_and_what_is_only_read_is_not_changed() -> None:
    limited = replace(USER, grants=Grants(frozenset({"a", "b"}), frozenset({"b"})))
    missing = NotFound("thing_not_found", "No such thing.")
    for needs in (limited.require_readable, limited.require_writable):
        with pytest.raises(NotFound, match="thing_not_found"):
            needs("c", missing)
    limited.require_readable("a", missing)
    limited.require_writable("b", missing)
    with pytest.raises(PermissionDenied, match="read_only_grant"):
        limited.require_writable("a", missing)
    assert (limited.readable_ids, USER.readable_ids) == (["a", "b"], None)
    USER.require_writable("c", missing)


def test_the_token_is_a_plain_eddsa_jwt(time: Time) -> None:
    header, payload, _ = _minter("gateway", time).mint(USER, "agent").split(".")
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"alg": "EdDSA", "typ": "JWT"}
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    assert (claims["iss"], claims["aud"], claims["exp"] - claims["iat"]) == ("gateway", "agent", 60)


def test_a_token_is_for_one_audience_and_one_minute(time: Time) -> None:
    minter = _minter("gateway", time)
    verifier = PrincipalVerifier([minter.public_key()], time)
    token = minter.mint(USER, "agent")
    verifier.verify(token, "agent")
    _refused(verifier, token, "billing")
    time.now += 60
    _refused(verifier, token)


def test_a_token_is_reused_for_half_a_minute(time: Time) -> None:
    minter = _minter("gateway", time)
    token = minter.mint(USER, "agent")
    time.now += 29
    assert minter.mint(USER, "agent") == token
    assert minter.mint(USER, "billing") != token
    time.now += 2
    assert minter.mint(USER, "agent") != token


def test_a_token_from_the_future_or_too_long_alive_is_refused(time: Time) -> None:
    minter = _minter("gateway", time)
    verifier = PrincipalVerifier([minter.public_key()], time)
    time.now += 3_600
    token = minter.mint(USER, "agent")
    time.now -= 3_600
    _refused(verifier, token)


@pytest.mark.parametrize(
    "principal",
    [
        USER,
        Principal(org_id="org_1", role="owner", issuer="agent"),
        Principal(org_id="org_1", role="service", issuer="agent"),
        Principal(org_id="org_1", user_id="usr_1", role="service", issuer="agent"),
        Principal(org_id="org_1", api_key_id="key_1", role="service", issuer="agent"),
        Principal(role="gateway", issuer="agent"),
    ],
)
def test_only_the_gateway_speaks_for_people(time: Time, principal: Principal) -> None:
    agent = _minter("agent", time)
    verifier = PrincipalVerifier([agent.public_key()], time)
    _refused(verifier, agent.mint(principal, "agent"))


def test_another_key_under_a_known_name_is_refused(time: Time) -> None:
    verifier = PrincipalVerifier([_minter("gateway", time).public_key()], time)
    _refused(verifier, _minter("gateway", time, b"9").mint(USER, "agent"))
    _refused(verifier, _minter("stranger", time).mint(USER, "agent"))


def test_both_keys_of_an_issuer_are_trusted_during_rotation(time: Time) -> None:
    old, new = _minter("gateway", time), _minter("gateway", time, b"2")
    verifier = PrincipalVerifier([old.public_key(), new.public_key()], time)
    assert verifier.verify(old.mint(USER, "agent"), "agent") == verifier.verify(new.mint(USER, "agent"), "agent")


def test_no_changed_token_passes(time: Time) -> None:
    minter = _minter("gateway", time)
    verifier = PrincipalVerifier([minter.public_key()], time)
    header, payload, signature = minter.mint(USER, "agent").split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    forged = base64.urlsafe_b64encode(json.dumps({**claims, "org": "org_2"}).encode()).decode().rstrip("=")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    for token in (
        f"{header}.{forged}.{signature}",
        f"{none}.{payload}.",
        f"{none}.{payload}.{signature}",
        f"{header}.{payload}.",
        f"{header}.{payload}",
        "",
        "..",
        "a.b.c",
        "ü.ü.ü",
        f"{header}.{payload}.{signature}" + "A" * 5_000,
    ):
        _refused(verifier, token)


@pytest.mark.parametrize("header", [b'{"alg":"EdDSA"}', b'{"alg":"none","typ":"JWT"}', b'{"typ":"JWT","alg":"EdDSA"}'])
def test_even_a_signed_token_has_our_header_and_no_other(time: Time, header: bytes) -> None:
    minter = _minter("gateway", time)
    payload = minter.mint(USER, "agent").split(".")[1]
    signed = base64.urlsafe_b64encode(header).decode().rstrip("=") + "." + payload
    signature = base64.urlsafe_b64encode(minter._key.sign(signed.encode())).decode().rstrip("=")
    _refused(PrincipalVerifier([minter.public_key()], time), f"{signed}.{signature}")


@pytest.mark.parametrize("claims", [[], "text", {"iss": "gateway"}, {"iss": ["gateway"]}])
def test_signed_nonsense_is_refused(time: Time, claims: object) -> None:
    minter = _minter("gateway", time)
    verifier = PrincipalVerifier([minter.public_key()], time)
    header = minter.mint(USER, "agent").split(".")[0]
    signed = header + "." + base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    signature = base64.urlsafe_b64encode(minter._key.sign(signed.encode())).decode().rstrip("=")
    _refused(verifier, f"{signed}.{signature}")


@pytest.mark.parametrize(
    ("scopes", "scope", "expected"),
    [
        ({"*"}, "agents:write", True),
        ({"agents:write"}, "agents:write", True),
        ({"agents:*"}, "agents:write", True),
        ({"*:read"}, "agents:read", True),
        ({"*:read"}, "agents:write", False),
        ({"agents:read"}, "agents:write", False),
        ({"agents"}, "agents:read", False),
        (set(), "agents:read", False),
    ],
)
def test_scopes(scopes: set[str], scope: str, expected: bool) -> None:
    assert Principal(scopes=frozenset(scopes)).has_scope(scope) is expected


@pytest.mark.parametrize("key", ["", "gateway", "gateway=", "=" + "A" * 44, "gateway=c2hvcnQ="])
def test_malformed_keys_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match="base64 of 32 bytes"):
        PrincipalMinter(key)
    with pytest.raises(ValueError, match="base64 of 32 bytes"):
        PrincipalVerifier([key])


def _named(name: str, time: Time, letter: bytes) -> PrincipalMinter:
    return PrincipalMinter(f"{name}={base64.b64encode(letter * 32).decode()}", time)


def test_the_header_names_the_key_and_no_other_key_of_the_issuer_verifies_it(time: Time) -> None:
    minter, other = _named("gateway/k2", time, b"2"), _named("gateway/k1", time, b"1")
    token = minter.mint(USER, "agent")
    header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    assert (header["kid"], minter.issuer) == ("k2", "gateway")
    assert PrincipalVerifier([other.public_key(), minter.public_key()], time).verify(token, "agent") == USER
    # The right key under another id, and no key of this id.
    _refused(PrincipalVerifier([minter.public_key().replace("/k2", "/k3")], time), token)
    _refused(PrincipalVerifier([other.public_key()], time), token)


def test_a_replaced_signing_key_signs_at_once_and_the_old_token_lives_until_its_key_is_dropped(time: Time) -> None:
    minter, new = _named("gateway/k1", time, b"1"), _named("gateway/k2", time, b"2")
    verifier = PrincipalVerifier([minter.public_key()], time)
    old_public, old = minter.public_key(), minter.mint(USER, "agent")
    assert verifier.verify(old, "agent") == USER
    verifier.replace([old_public, new.public_key()])
    minter.replace(f"gateway/k2={base64.b64encode(b'2' * 32).decode()}")
    fresh = minter.mint(USER, "agent")
    assert fresh != old
    assert verifier.verify(fresh, "agent") == verifier.verify(old, "agent") == USER
    # Also one that was verified before: a dropped key may have been stolen.
    verifier.replace([new.public_key()])
    _refused(verifier, old)
    assert verifier.verify(fresh, "agent") == USER
