import base64

import pytest

from libs.crypto import (
    DecryptionError,
    Envelope,
    constant_time_equal,
    hmac_sha256_hex,
    random_token,
    sha256_hex,
)

OLD = "2025=" + base64.b64encode(b"o" * 32).decode()
NEW = "2026=" + base64.b64encode(b"n" * 32).decode()
AAD = ("org_1", "integration", "int_1", "credentials")


def test_a_blob_opens_where_it_belongs() -> None:
    envelope = Envelope([NEW])
    blob = envelope.encrypt(b"sk_live_1", AAD)
    assert envelope.decrypt(blob, AAD) == b"sk_live_1"
    assert b"sk_live_1" not in blob
    assert blob != envelope.encrypt(b"sk_live_1", AAD)


@pytest.mark.parametrize(
    "aad",
    [
        ("org_2", *AAD[1:]),
        (*AAD[:3], "secret"),
        AAD[:3],
        ("org_1i", "ntegration", *AAD[2:]),
        (),
    ],
)
def test_a_blob_moved_elsewhere_does_not_open(aad: tuple[str, ...]) -> None:
    blob = Envelope([NEW]).encrypt(b"secret", AAD)
    with pytest.raises(DecryptionError):
        Envelope([NEW]).decrypt(blob, aad)


def test_every_flipped_bit_is_noticed() -> None:
    envelope = Envelope([NEW])
    blob = envelope.encrypt(b"secret", AAD)
    for position in range(len(blob)):
        changed = bytearray(blob)
        changed[position] ^= 1
        with pytest.raises(DecryptionError):
            envelope.decrypt(bytes(changed), AAD)


@pytest.mark.parametrize("length", [0, 1, 2, 10, 60, 90])
def test_a_cut_blob_does_not_open(length: int) -> None:
    envelope = Envelope([NEW])
    with pytest.raises(DecryptionError):
        envelope.decrypt(envelope.encrypt(b"secret", AAD)[:length], AAD)


def test_rotation_reads_the_old_and_writes_the_new() -> None:
    blob = Envelope([OLD]).encrypt(b"secret", AAD)
    both = Envelope([NEW, OLD])
    assert both.decrypt(blob, AAD) == b"secret"
    assert Envelope([NEW]).decrypt(both.encrypt(b"secret", AAD), AAD) == b"secret"
    with pytest.raises(DecryptionError):
        Envelope([NEW]).decrypt(blob, AAD)


@pytest.mark.parametrize("key", ["", "2026", "=abc", "2026=short", "2026=" + base64.b64encode(b"x" * 31).decode()])
def test_malformed_keys_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match="base64 of 32 bytes"):
        Envelope([key])
    with pytest.raises(ValueError, match="at least one"):
        Envelope([])


def test_tokens_are_base62_of_one_length_and_never_twice() -> None:
    tokens = {random_token() for _ in range(500)}
    assert len(tokens) == 500
    assert {len(token) for token in tokens} == {43}
    assert all(token.isascii() and token.isalnum() for token in tokens)
    assert len(random_token(16)) == 22


def test_hashes_match_published_vectors() -> None:
    assert sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    # RFC 4231, test case 2
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert hmac_sha256_hex(b"Jefe", (b"what do ya ", b"want for nothing?")) == expected


def test_comparison_takes_text_and_bytes() -> None:
    assert constant_time_equal("a", b"a")
    assert not constant_time_equal("a", "b")
    assert not constant_time_equal("ü", "u")
