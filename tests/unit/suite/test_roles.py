from suite.roles import FINGERPRINT, ROLE_SCOPES, fingerprint


def test_the_fingerprint_follows_every_scope_of_every_role_and_nothing_else() -> None:
    for role, scopes in ROLE_SCOPES.items():
        for scope in scopes:
            assert fingerprint({**ROLE_SCOPES, role: scopes - {scope}}) != FINGERPRINT
    assert fingerprint(dict(reversed(list(ROLE_SCOPES.items())))) == FINGERPRINT
    assert fingerprint({**ROLE_SCOPES, "guest": frozenset()}) != FINGERPRINT
