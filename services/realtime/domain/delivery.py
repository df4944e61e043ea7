"""Outbound webhooks by the Standard Webhooks specification: schedule, judgement of a response, disabling of an
endpoint, event type patterns. Pure.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum

# What parses a body is chosen by its type, and receivers of Standard Webhooks know JSON alone, so that comes first.
CONTENT_TYPES = ("application/json", "application/cloudevents+json")
# How long the old secret also signs after a rotation.
SECRET_OVERLAP = datetime.timedelta(hours=24)

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


def matches(event_types: tuple[str, ...], topic: str) -> bool:
    """`*` takes everything, `call.*` one entity, anything else exactly one type."""
    entity = topic.partition(".")[0]
    return any(wanted in ("*", topic, f"{entity}.*") for wanted in event_types)
