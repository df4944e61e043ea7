"""The bus: events between services over NATS JetStream, and core messages that may be lost.

The only room that knows NATS. PostgreSQL holds every promise (outbox, inbox); see docs/events.md.
"""

from libs.bus.connection import Bus
from libs.bus.consumer import EventConsumer
from libs.bus.events import Event, ReceivedEvent, event_data
from libs.bus.relay import OutboxRelay

__all__ = ["Bus", "Event", "EventConsumer", "OutboxRelay", "ReceivedEvent", "event_data"]
