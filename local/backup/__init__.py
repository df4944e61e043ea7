"""Backup and restore of one installation: database, objects and keys in one archive.

Without the keys the provider credentials in the database cannot be read, so they belong together; the archive is as
secret as they are. Redis and NATS are not in it: Redis only remembers, and the relay publishes again what the bus lost.
"""

from local.backup.create import create
from local.backup.restore import restore

__all__ = ["create", "restore"]
