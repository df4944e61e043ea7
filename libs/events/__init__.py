"""Events between services: appended in the transaction of the change, handled once by each consumer.

Joins PostgreSQL (outbox, inbox) and NATS JetStream; see docs/events.md. It must not know what an event means.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from libs.events.consumer import EventConsumer
    from libs.events.delivery import Handler, Subscriptions, Together
    from libs.events.envelope import Event, ReceivedEvent
    from libs.events.relay import OutboxRelay

__all__ = ["Event", "EventConsumer", "Handler", "OutboxRelay", "ReceivedEvent", "Subscriptions", "Together"]
_MODULES = {
    "Event": "envelope", "EventConsumer": "consumer", "Handler": "delivery", "OutboxRelay": "relay",
    "ReceivedEvent": "envelope", "Subscriptions": "delivery", "Together": "delivery",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Loaded at the first use: who only needs the table of topics does not load the database's driver."""
    if name not in _MODULES:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"libs.events.{_MODULES[name]}"), name)
