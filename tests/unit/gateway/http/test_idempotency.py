import hashlib

from gateway.http.idempotency import Fingerprints

fingerprint = Fingerprints(b"s" * 32).of


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


def test_a_fingerprint_says_nothing_to_who_lacks_the_secret() -> None:
    body = b'{"password": "correct horse battery"}'
    framed = b"".join(len(part).to_bytes(8, "big") + part for part in (b"POST", b"/api/register", body))
    here = fingerprint("POST", "/api/register", body)
    assert here != hashlib.sha256(framed).hexdigest()
    assert here != Fingerprints(b"t" * 32).of("POST", "/api/register", body)
