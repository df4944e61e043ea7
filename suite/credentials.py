"""The form of session tokens and API keys. The gateway checks it before it asks Redis, identity before its tables.

A key reads `esx_<env>_<prefix>_<secret>`: the secret ends in a CRC-32 of all before it, so that a mistyped or
invented key is refused without a look at any store.
"""

import binascii
import re

API_KEY_PREFIX = "esx_"
"""What every key begins with, and no token."""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# Base 62 digits of a CRC-32.
_CHECKSUM_LENGTH = 6
_KEY = re.compile(rf"({API_KEY_PREFIX}(?:live|test)_[0-9A-Za-z]{{10}})_[0-9A-Za-z]{{32,64}}", re.ASCII)
_TOKEN = re.compile(r"[0-9A-Za-z]{40,64}", re.ASCII)


def is_session_token(text: str) -> bool:
    return _TOKEN.fullmatch(text) is not None


def key_prefix(text: str) -> str | None:
    """The shown part of a well-formed key; None for any other text."""
    match = _KEY.fullmatch(text)
    if match is None or _checksum(text[:-_CHECKSUM_LENGTH]) != text[-_CHECKSUM_LENGTH:]:
        return None
    return match[1]


def write_prefix(production: bool, random: str) -> str:
    return f"{API_KEY_PREFIX}{'live' if production else 'test'}_{random[:10]}"


def write_key(prefix: str, random: str) -> str:
    text = f"{prefix}_{random[:32]}"
    return text + _checksum(text)


def _checksum(text: str) -> str:
    """CRC-32 in base 62, six characters."""
    number = binascii.crc32(text.encode())
    digits = []
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
