"""What each service may say and hear over NATS: its own subjects, the stream's API for its own consumer, its own inbox.

Made from the table of topics by who configures a server (local/runner/accounts.py). See docs/adr/0024-nats-users.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from libs.bus import subjects
from libs.bus.subjects import STREAM

# The one service that tells listeners what was published, and hears all progress of jobs.
_LISTENERS = "realtime"
# Services that keep values of another one in memory, and hear what it changed.
_KEEPS = {"calllog": "agent"}


@dataclass(frozen=True, slots=True)
class Permissions:
    """Subjects with NATS wildcards; everything else is refused."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def permissions(service: str, owners: Mapping[str, str]) -> Permissions:
    """The rights of all processes of a service. `owners`: topic -> the service that appends it, empty for every one."""
    events = [subjects.event_filter(service, topic) for topic, owner in owners.items() if owner in ("", service)]
    wakeups = (
        subjects.outbox_wakeup(service), subjects.job_wakeup(service, "*"), subjects.delayed_job_wakeup(service, "*"),
    )  # fmt: skip
    told = subjects.realtime_publication("*", ">"), subjects.REALTIME_REVOKED, subjects.realtime_emulation("*")
    progress = subjects.jobs_progress("*", "*")
    listens = service == _LISTENERS
    changed = (subjects.cache_invalidated(_KEEPS[service]),) if service in _KEEPS else ()
    return Permissions(
        publish=(
            *events, *wakeups, progress, subjects.cache_invalidated(service), *(told if listens else ()),
            *_stream_requests(service),
        ),
        subscribe=(*wakeups, *changed, *((*told, progress) if listens else ()), f"{subjects.inbox_prefix(service)}.>"),
    )  # fmt: skip


def edge_permissions(user: str) -> Permissions:
    """The rights of the gateways, which hear what their cached values lost and tell each other their figures."""
    return Permissions(
        publish=(subjects.GATEWAY_FIGURES, f"{subjects.inbox_prefix(user)}.>"),
        subscribe=(subjects.cache_invalidated("*"), subjects.GATEWAY_FIGURES, f"{subjects.inbox_prefix(user)}.>"),
    )


def _stream_requests(service: str) -> tuple[str, ...]:
    """The JetStream API as libs.bus uses it; the durable consumer of a service has its name."""
    of_stream = ("STREAM.INFO", "STREAM.CREATE", "STREAM.MSG.GET")
    of_consumer = ("INFO", "CREATE", "DURABLE.CREATE", "DELETE", "MSG.NEXT")
    return (
        *(f"$JS.API.{request}.{STREAM}" for request in of_stream),
        *(f"$JS.API.CONSUMER.{request}.{STREAM}.{service}" for request in of_consumer),
        f"$JS.API.CONSUMER.CREATE.{STREAM}.{service}.>",
        f"$JS.ACK.{STREAM}.{service}.>",
    )
