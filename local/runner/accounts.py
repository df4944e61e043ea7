"""The users of NATS: one per service, with the rights that libs.bus.permissions derives from the table of topics."""

from __future__ import annotations

from libs.bus.permissions import permissions
from libs.events.topics import TOPICS
from local.runner.keys import Keys
from local.stores.nats import BusUser
from suite.services import SERVICES


def bus_users(keys: Keys) -> list[BusUser]:
    """The services' logins; the administrator's is the store's own."""
    owners = {topic: entry.service for topic, entry in TOPICS.items()}
    rights = {service: permissions(service, owners) for service in SERVICES}
    return [
        BusUser(service, keys.bus_password(service), allowed.publish, allowed.subscribe)
        for service, allowed in rights.items()
    ]
