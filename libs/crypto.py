"""Secrets at rest and in memory: envelope encryption, random tokens, hashes, comparison in constant time.

AES-256-GCM with a data key per secret, wrapped by the current key of the settings; what the secret belongs to
(organization, table, row, column) is authenticated, so that a ciphertext moved to another row does not open. Password
hashing belongs to the identity service.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# Version byte of a blob.
_VERSION = 1
# Bytes of a GCM nonce (NIST SP 800-38D).
_NONCE = 12
# Bytes of a wrapped data key: AES-256 key and tag.
_WRAPPED = 32 + 16
# Characters of a key id. Its length is one byte of the blob.
_MAX_KID = 64


class DecryptionError(Exception):
    """The blob is damaged, belongs elsewhere, or its key is not among ours. Says no more on purpose."""


class Envelope:
    """Keys are "kid=base64 of 32 bytes"; the first encrypts, all decrypt. `replace` exchanges them in use; libs.jobs
    rewrites stored blobs under the first key.

    Blob: version (1 byte), length of kid (1), kid, nonce of the wrap (12), wrapped data key (48), nonce (12),
    ciphertext with its tag.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self.replace(keys)

    def replace(self, keys: Iterable[str]) -> None:
        """Take the new value of the setting; ValueError leaves the keys as they were."""
        found = dict(_named_key(entry) for entry in keys)
        if not found:
            raise ValueError("at least one encryption key is needed")
        self._keys, self.current = found, next(iter(found))

    def encrypt(self, plaintext: bytes, aad: tuple[str, ...]) -> bytes:
        """A blob that opens only under the same aad."""
        # Both taken at once, because another value may be taken while this runs in a thread.
        keys, current = self._keys, self.current
        head = head_of(current)
        bound = _bound(head, aad)
        data_key, wrap_nonce, nonce = os.urandom(32), os.urandom(_NONCE), os.urandom(_NONCE)
        wrapped = keys[current].encrypt(wrap_nonce, data_key, bound)
        return head + wrap_nonce + wrapped + nonce + AESGCM(data_key).encrypt(nonce, plaintext, bound)

    def decrypt(self, blob: bytes, aad: tuple[str, ...]) -> bytes:
        """The plaintext; DecryptionError when the blob is not what this row was given."""
        kid, head, rest = _split(blob)
        key = self._keys.get(kid)
        if key is None or len(rest) < _NONCE + _WRAPPED + _NONCE:
            raise DecryptionError("no key of ours opens this")
        bound = _bound(head, aad)
        wrap_nonce, wrapped, rest = rest[:_NONCE], rest[_NONCE : _NONCE + _WRAPPED], rest[_NONCE + _WRAPPED :]
        try:
            data_key = key.decrypt(wrap_nonce, wrapped, bound)
            return AESGCM(data_key).decrypt(rest[:_NONCE], rest[_NONCE:], bound)
        except InvalidTag:
            raise DecryptionError("no key of ours opens this") from None


def head_of(kid: str) -> bytes:
    """How every blob begins that the key of this id has encrypted."""
    name = kid.encode()
    return bytes((_VERSION, len(name))) + name


def _split(blob: bytes) -> tuple[str, bytes, bytes]:
    if len(blob) < 2 or blob[0] != _VERSION or blob[1] > _MAX_KID:
        raise DecryptionError("no key of ours opens this")
    end = 2 + blob[1]
    return blob[2:end].decode("utf-8", "replace"), blob[:end], blob[end:]


def _bound(head: bytes, aad: tuple[str, ...]) -> bytes:
    return head + framed(part.encode() for part in aad)


def framed(parts: Iterable[bytes]) -> bytes:
    """The parts with their lengths, so that ("ab", "c") and ("a", "bc") differ."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _named_key(entry: str) -> tuple[str, AESGCM]:
    kid, _, encoded = entry.partition("=")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raw = b""
    if not kid or len(kid.encode()) > _MAX_KID or len(raw) != 32:
        raise ValueError('an encryption key is written "kid=<base64 of 32 bytes>"')
    return kid, AESGCM(raw)


def random_token(nbytes: int = 32) -> str:
    """An unguessable token of this many random bytes in base62, always of the same length."""
    number = int.from_bytes(secrets.token_bytes(nbytes), "big")
    length = -(-nbytes * 8 * 1000 // 5954)  # log2(62) = 5.954
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(digits)


def sha256_hex(data: bytes | str) -> str:
    """SHA-256 in lowercase hex; enough for tokens of 256 random bits, never for passwords."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def hmac_sha256_hex(key: bytes, parts: Iterable[bytes]) -> str:
    """HMAC-SHA256 over the concatenated parts, in lowercase hex (as webhook signatures want it)."""
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        mac.update(part)
    return mac.hexdigest()


def constant_time_equal(left: bytes | str, right: bytes | str) -> bool:
    """Whether two secrets are equal, in time that does not depend on where they differ."""
    return hmac.compare_digest(
        left.encode() if isinstance(left, str) else left, right.encode() if isinstance(right, str) else right
    )
