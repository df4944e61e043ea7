"""The users of NATS: one per service and one for the gateway, with the rights of libs.bus.permissions."""

from __future__ import annotations

from libs.bus.permissions import edge_permissions, permissions
from libs.events.topics import TOPICS
from local.runner.keys import Keys
from local.stores.nats import BusUser
from suite.services import GATEWAY, SERVICES


def bus_users(keys: Keys) -> list[BusUser]:
    """The deployables' logins; the administrator's is the store's own."""
    owners = {topic: entry.service for topic, entry in TOPICS.items()}
    rights = {service: permissions(service, owners) for service in SERVICES}
    rights[GATEWAY] = edge_permissions(GATEWAY)
    return [
        BusUser(service, keys.bus_password(service), allowed.publish, allowed.subscribe)
        for service, allowed in rights.items()
    ]
