"""Events between services: appended in the transaction of the change, handled once by each consumer.

Joins PostgreSQL (outbox, inbox) and NATS JetStream; see docs/events.md. It must not know what an event means.
"""

from libs.events.consumer import EventConsumer
from libs.events.delivery import Handler, Subscriptions, Together
from libs.events.envelope import Event, ReceivedEvent
from libs.events.relay import OutboxRelay

__all__ = ["Event", "EventConsumer", "Handler", "OutboxRelay", "ReceivedEvent", "Subscriptions", "Together"]
