"""Outbound webhooks by the Standard Webhooks specification: schedule, judgement of a response, disabling of an
endpoint, event type patterns, what of an exchange is recorded. Pure.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Mapping

# Events that no pattern takes. A call has hundreds of turns, so an endpoint for `call.*` would get little else.
_BY_NAME_ALONE = frozenset({"call.turn"})
# What parses a body is chosen by its type, and receivers of Standard Webhooks know JSON alone, so that comes first.
CONTENT_TYPES = ("application/json", "application/cloudevents+json")
# How long the old secret also signs after a rotation.
SECRET_OVERLAP = datetime.timedelta(hours=24)

# Seconds that a receiver has to answer one webhook.
ATTEMPT_SECONDS = 15.0
# Seconds that one run of a job delivers for; then other endpoints' jobs get its place in the worker.
RUN_SECONDS = 15.0

# Seconds.
_MINUTE, _HOUR = 60.0, 3600.0
# Seconds to wait before attempt 1, 2, 3 ... of a delivery (the specification's suggested schedule).
SCHEDULE_SECONDS = (
    0.0,
    5.0,
    5 * _MINUTE,
    30 * _MINUTE,
    2 * _HOUR,
    5 * _HOUR,
    10 * _HOUR,
    14 * _HOUR,
    20 * _HOUR,
    24 * _HOUR,
)
MAX_ATTEMPTS = len(SCHEDULE_SECONDS)
# Failed attempts in a row after which an endpoint rests. One or two can be the fault of an event or of a restart.
_RESTS_FROM = 3
# Seconds of the longest rest. With the time limit of an attempt it bounds what an endpoint that is down costs: 5 %.
MAX_REST_SECONDS = 300.0
# Seconds between looks of a delivery that waits for many others of a failing endpoint. The job that has the turn
# delivers them.
_MAX_LOOK_SECONDS = 3_600.0
# The same where the endpoint answers. Longer: a job is open longer after its delivery went out. Shorter: a backlog of
# an endpoint that is only slow costs more claims.
_FAR_LOOK_SECONDS = 300.0
# Deliveries of an endpoint that look often, so that one takes the turn when it is free. More would only cost claims.
_NEAR = 20
# The part of the patience after which owners are alerted: a day of five.
_ALERT_AT = 0.2

# Bytes of a response's body that are recorded.
RECORDED_BODY = 1_024
# Header fields of a response that are recorded, and characters of each.
_RECORDED_FIELDS, _RECORDED_VALUE = 40, 200
_MASK = "***"
_SECRET_WORDS = ("authorization", "cookie", "token", "secret", "signature", "api-key", "apikey", "password", "session")


class Verdict(enum.Enum):
    DELIVERED = "delivered"
    RETRY = "retry"
    # 410: the receiver says that the endpoint is gone.
    GONE = "gone"


@dataclasses.dataclass(frozen=True, slots=True)
class Failures:
    """The failures of an endpoint since its last success: for how long, and how many deliveries ran out of attempts."""

    since: datetime.timedelta
    exhausted: int
    alerted: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Patience:
    """How much failing an endpoint may do before it is disabled. Both bounds must be passed: one lost delivery of a
    quiet endpoint says little, and so do many in one outage of an hour."""

    longest: datetime.timedelta
    exhausted: int

    @classmethod
    def of(cls, days: float, exhausted: int) -> Patience:
        return cls(datetime.timedelta(days=days), exhausted)

    def is_over(self, failures: Failures) -> bool:
        return failures.since >= self.longest and failures.exhausted >= self.exhausted

    def needs_alert(self, failures: Failures) -> bool:
        """Whether the owners are to be told now that it will be disabled; once in a row of failures."""
        return not failures.alerted and failures.since >= self.longest * _ALERT_AT


@dataclasses.dataclass(frozen=True, slots=True)
class Exchange:
    """One attempt as it is recorded: its request's header fields, and the response or why there is none. Values of
    fields that authenticate are masked, the body is the first KiB as text."""

    started_at: datetime.datetime
    duration_ms: int
    status_code: int | None
    error: str
    request_headers: Mapping[str, str]
    response_headers: Mapping[str, str]
    response_body: str


@dataclasses.dataclass(frozen=True, slots=True)
class Attempt:
    """A recorded exchange; `number` counts from 1 over all rounds of its delivery."""

    number: int
    exchange: Exchange


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    id: str
    org_id: str
    url: str
    event_types: tuple[str, ...]
    description: str
    content_type: str
    status: str
    disabled_reason: str
    version: int
    created_at: datetime.datetime
    updated_at: datetime.datetime
    last_success_at: datetime.datetime | None
    last_failure_at: datetime.datetime | None
    failing_since: datetime.datetime | None
    exhausted: int


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery:
    id: str
    org_id: str
    endpoint_id: str
    event_id: str
    event_type: str
    status: str
    attempts: int
    last_status_code: int | None
    last_error: str
    job_id: str
    created_at: datetime.datetime
    next_attempt_at: datetime.datetime | None
    delivered_at: datetime.datetime | None
    # The event's place in the organization's log; 0: it is not in there.
    position: int = 0


def judge(status_code: int) -> Verdict:
    """2xx alone is success; a redirect is a failure, because a signature names one receiver."""
    if 200 <= status_code < 300:
        return Verdict.DELIVERED
    return Verdict.GONE if status_code == 410 else Verdict.RETRY


def wait_before(attempt: int, jitter: float, retry_after: float | None = None) -> float:
    """Seconds before this attempt (1-based); jitter in 0..1 adds up to a tenth; a receiver's Retry-After may only
    lengthen it.
    """
    planned = SCHEDULE_SECONDS[min(attempt, MAX_ATTEMPTS) - 1]
    longest = SCHEDULE_SECONDS[-1]
    return min(max(planned * (1 + 0.1 * jitter), retry_after or 0.0), longest * 1.1)


def rest_seconds(failed_attempts: int, retry_after: float | None = None) -> float:
    """Seconds without a delivery to an endpoint that has failed so often in a row; a Retry-After may lengthen them."""
    grown = 5.0 * 2.0 ** min(failed_attempts - _RESTS_FROM, 10) if failed_attempts >= _RESTS_FROM else 0.0
    return min(max(grown, retry_after or 0.0), MAX_REST_SECONDS)


def look_again(seconds: float, ahead: int, *, failing: bool, jitter: float) -> float:
    """Seconds until a delivery looks again whether it may go: `seconds` until its endpoint is free, `ahead` deliveries
    that go before it."""
    if ahead > _NEAR:
        return (_MAX_LOOK_SECONDS if failing else _FAR_LOOK_SECONDS) * (1 + 0.1 * jitter)
    planned = max(seconds, 0.2) + ahead * (15.0 if failing else 0.05)
    return min(planned, _MAX_LOOK_SECONDS) * (1 + 0.1 * jitter)


def masked(headers: Mapping[str, str]) -> dict[str, str]:
    """Header fields as they are recorded."""
    recorded = list(headers.items())[:_RECORDED_FIELDS]
    return {
        name: _MASK if any(word in name.lower() for word in _SECRET_WORDS) else value[:_RECORDED_VALUE]
        for name, value in recorded
    }


def recorded_body(content: bytes) -> str:
    """The beginning of a body as text that PostgreSQL can store."""
    return content[:RECORDED_BODY].decode("utf-8", "replace").replace("\0", "\ufffd")


def names(wanted: str, topic: str) -> bool:
    """`*` names everything, `call.*` one entity, anything else exactly one type."""
    return wanted in ("*", topic, f"{topic.partition('.')[0]}.*")


def matches(event_types: tuple[str, ...], topic: str) -> bool:
    """Whether an endpoint of these types gets events of this topic."""
    return topic in event_types or (topic not in _BY_NAME_ALONE and any(names(wanted, topic) for wanted in event_types))
