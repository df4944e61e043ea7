from gateway.http.idempotency import fingerprint


def test_every_part_counts_and_none_flows_into_the_next() -> None:
    same = fingerprint("POST", "/api/a", b"{}")
    assert same == fingerprint("POST", "/api/a", b"{}")
    others = {
        fingerprint("PATCH", "/api/a", b"{}"),
        fingerprint("POST", "/api/b", b"{}"),
        fingerprint("POST", "/api/a", b"{ }"),
        fingerprint("POST", "/api/a{", b"}"),
        fingerprint("POST", "/api/a"),
    }
    assert same not in others
    assert len(others) == 5
