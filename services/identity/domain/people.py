"""Organizations and users: what they are, and the rules of names, e-mail addresses and passwords."""

from __future__ import annotations

import enum
import functools
import itertools
import re
import unicodedata
import zoneinfo
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from libs.errors import FailedPrecondition, InvalidArgument, Violation
from libs.text import has_unseen, trimmed

from .agent_grants import AgentAccess
from .scopes import Role

# Characters of a first or last name.
NAME_MAX = 100
# Characters of an organization's name.
ORGANIZATION_NAME_MAX = 200
# Characters of an address (RFC 5321, 4.5.3.1.3, without the brackets).
EMAIL_MAX = 254
# Characters of a password, at least (NIST SP 800-63B).
PASSWORD_MIN = 8
# Characters of a password, at most: long texts cost time before they are hashed.
PASSWORD_MAX = 200
# RFC 5321's shape, without quoted local parts and address literals; whether the mailbox exists only mail can tell.
_EMAIL = re.compile(r"[^\x00-\x20\x7f@\"(),:;<>\[\\\]]{1,64}@([^\W_]([\w-]{0,61}[^\W_])?\.)+[^\W_]([\w-]{0,61}[^\W_])")


class OrganizationStatus(enum.StrEnum):
    """Whether the sessions and keys of an organization work."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class Organization:
    """`parent_id` is the agency whose customer it is; empty for an organization of its own."""

    id: str
    name: str
    time_zone: str
    created_at: datetime
    updated_at: datetime
    version: int = 1
    parent_id: str = ""
    status: OrganizationStatus = OrganizationStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class User:
    id: str
    org_id: str
    email: str
    first_name: str
    last_name: str
    role: Role
    created_at: datetime
    updated_at: datetime
    account_id: str = ""
    version: int = 1
    last_login_at: datetime | None = None
    agent_access: AgentAccess = AgentAccess.ALL


@dataclass(frozen=True, slots=True)
class Registration:
    email: str
    password: str = field(repr=False)
    first_name: str
    last_name: str
    organization_name: str


def check_registration(asked: Registration) -> Registration:
    """The registration with its texts trimmed; raises with every violation found."""
    asked = replace(
        asked,
        email=asked.email.strip(),
        first_name=trimmed(asked.first_name),
        last_name=trimmed(asked.last_name),
        organization_name=trimmed(asked.organization_name),
    )
    _refuse("The registration is not valid.", _registration(asked))
    return asked


def check_email(email: str) -> str:
    """The address without white space at its ends; raises with a violation when it is none."""
    email = email.strip()
    _refuse("The e-mail address is not valid.", _email(email))
    return email


def check_password(password: str, email: str, pointer: str = "#/password") -> None:
    """Raises with every violation of a new password for the account of this address."""
    _refuse("The password is not valid.", _password(password, email, pointer))


def check_names(first_name: str, last_name: str) -> tuple[str, str]:
    """Both names trimmed; raises with every violation found."""
    first_name, last_name = trimmed(first_name), trimmed(last_name)
    _refuse("The names are not valid.", _names(first_name, last_name))
    return first_name, last_name


def edit_user(user: User, given: User, now: datetime) -> User:
    """The user with the names and the role of `given`; the very same object when nothing differs."""
    first_name, last_name = check_names(given.first_name, given.last_name)
    if (first_name, last_name, given.role) == (user.first_name, user.last_name, user.role):
        return user
    return replace(
        user, first_name=first_name, last_name=last_name, role=given.role, updated_at=now, version=user.version + 1
    )


def with_agent_access(user: User, access: AgentAccess, now: datetime) -> User:
    """The user's next version, with this access to agents."""
    return replace(user, agent_access=access, updated_at=now, version=user.version + 1)


def email_key(email: str) -> str:
    """What makes two spellings one address: trimmed, composed, in lower case."""
    return unicodedata.normalize("NFKC", email.strip()).lower()


def edit_organization(
    organization: Organization, name: str, time_zone: str, now: datetime, status: OrganizationStatus | None = None
) -> Organization:
    """The organization with this name, time zone and status; the very same object when nothing differs."""
    name, status = trimmed(name), status or organization.status
    _refuse(
        "The organization is not valid.",
        [*_name("#/name", name, ORGANIZATION_NAME_MAX, required=True), *_zone(time_zone)],
    )
    if (name, time_zone, status) == (organization.name, organization.time_zone, organization.status):
        return organization
    version = organization.version + 1
    return replace(organization, name=name, time_zone=time_zone, status=status, updated_at=now, version=version)


def check_version(organization: Organization, expected: int | None) -> None:
    if expected is not None and expected != organization.version:
        raise FailedPrecondition("stale_version", "The organization changed since you read it. Read it again.")


def _registration(asked: Registration) -> Iterator[Violation]:
    yield from _email(asked.email)
    yield from _password(asked.password, asked.email)
    yield from _names(asked.first_name, asked.last_name)
    yield from _name("#/organizationName", asked.organization_name, ORGANIZATION_NAME_MAX, required=True)


def _email(email: str) -> Iterator[Violation]:
    if len(email) > EMAIL_MAX or has_unseen(email) or not _EMAIL.fullmatch(email):
        yield Violation("#/email", "invalid_format", "Must be an e-mail address.")


def _names(first_name: str, last_name: str) -> Iterator[Violation]:
    yield from _name("#/firstName", first_name, NAME_MAX)
    yield from _name("#/lastName", last_name, NAME_MAX)


def _password(password: str, email: str, pointer: str = "#/password") -> Iterator[Violation]:
    """Length and no well-known one, as NIST SP 800-63B asks; no rules about kinds of characters."""
    if len(password) < PASSWORD_MIN:
        yield Violation(pointer, "too_short", f"At least {PASSWORD_MIN} characters.")
    if len(password) > PASSWORD_MAX:
        yield Violation(pointer, "too_long", f"At most {PASSWORD_MAX} characters.")
    if len(password) >= PASSWORD_MIN and (_folded(password) in common_passwords() or _is_run(password)):
        yield Violation(pointer, "too_common", "This password is among the first that others would try.")
    if email and _folded(password) == _folded(email):
        yield Violation(pointer, "too_common", "Must differ from the e-mail address.")


@functools.cache
def common_passwords() -> frozenset[str]:
    """The stolen passwords that are long enough otherwise, from the list of zxcvbn: 11,611 in lower case."""
    # Costs 14 MB and 40 ms, which processes that check no password do not pay.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(password for password in FREQUENCY_LISTS["passwords"] if len(password) >= PASSWORD_MIN)


def _folded(password: str) -> str:
    """One spelling for what differs in case or width only."""
    return unicodedata.normalize("NFKC", password).casefold()


def _is_run(password: str) -> bool:
    """One character again and again, or neighbours in a row: 11111111, abcdefgh, 87654321."""
    return len({ord(right) - ord(left) for left, right in itertools.pairwise(_folded(password))}) == 1


def _name(pointer: str, name: str, most: int, *, required: bool = False) -> Iterator[Violation]:
    if required and not name:
        yield Violation(pointer, "required", "Must not be empty.")
    if len(name) > most:
        yield Violation(pointer, "too_long", f"At most {most} characters.")
    if any(unicodedata.category(letter) == "Cc" for letter in name):
        yield Violation(pointer, "invalid_character", "Must not contain control characters.")


def _zone(time_zone: str) -> Iterator[Violation]:
    if time_zone not in zoneinfo.available_timezones():
        yield Violation("#/timeZone", "unknown_value", "Must be an IANA name, for example Europe/Berlin.")


def _refuse(detail: str, violations: Iterable[Violation]) -> None:
    found = list(violations)
    if found:
        raise InvalidArgument("validation_failed", detail, violations=found)
