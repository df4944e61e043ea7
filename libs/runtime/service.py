"""The parts that every service opens alike: bus, database, cursors, and its standard servicers and workers.

Not re-exported by libs.runtime: the gateway uses that package and must load neither asyncpg nor nats (ADR 0013).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any, Generic, TypeVar

from echosenseix.common.v1.common_pb2_grpc import (
    add_QuotaServiceServicer_to_server,
    add_StatusServiceServicer_to_server,
)
from echosenseix.jobs.v1.jobs_pb2_grpc import JobsServiceServicer, add_JobsServiceServicer_to_server
from libs.bus import Bus
from libs.bus.subjects import cache_invalidated
from libs.cache.client import RedisClient
from libs.cache.invalidation import Invalidator
from libs.cache.memory import Memory
from libs.cache.ping import redis_ping
from libs.cache.relay import CacheRelay
from libs.cache.store import RedisStore
from libs.config import ServiceSettings
from libs.crypto import Envelope
from libs.events import EventConsumer, OutboxRelay, Subscriptions
from libs.events.audit import audit_recorder
from libs.events.relay import Beside
from libs.events.servicer import DeadEventMethods
from libs.jobs import Worker
from libs.jobs.admin.servicer import JobMethods
from libs.jobs.handlers import Handlers
from libs.jobs.reencryption import Reencryption, reencryption_kind
from libs.keys import MacKeys
from libs.paging import CursorCodec
from libs.postgres import Database
from libs.postgres.quotas import Quotas, read_limits
from libs.postgres.sealed import SealedColumn
from libs.rpc.channel import RpcChannel, open_channel
from libs.rpc.principal import PrincipalMinter
from libs.rpc.quotas import QuotaServicer
from libs.rpc.status import Gauges, StatusServicer
from libs.rpc.tls import channel_credentials
from libs.runtime.process import Runtime

S = TypeVar("S", bound=ServiceSettings)
# Lists of more than 10,000 rows whose estimated totals are kept.
_LARGE_LISTS = 4_096
AddServicer = tuple[Callable[[Any, Any], None], object]


class JobsServicer(JobMethods, DeadEventMethods, JobsServiceServicer):
    """Jobs and dead events: an operator's dead letters are both, under one rule of access."""


class Service(Generic[S]):
    """A service's process with its stores open; the runtime closes them at the end."""

    def __init__(self, runtime: Runtime[S], bus: Bus, database: Database) -> None:
        self.runtime = runtime
        self.settings = runtime.settings
        self.bus = bus
        self.database = database

    @cached_property
    def cursors(self) -> CursorCodec:
        """The codec of page cursors; a process that lists nothing needs no key."""
        return CursorCodec(self.mac_keys)

    @cached_property
    def mac_keys(self) -> MacKeys:
        """Keys of cursors and of tokens that nothing stores."""
        keys = MacKeys.from_settings(self.settings.cursor_key)
        self.runtime.keys.follow("cursor_key", keys.replace)
        return keys

    @cached_property
    def envelope(self) -> Envelope:
        """Encrypts what this service stores."""
        envelope = Envelope(self.settings.encryption_keys)
        self.runtime.keys.follow("encryption_keys", envelope.replace)
        return envelope

    @cached_property
    def _minter(self) -> PrincipalMinter:
        minter = PrincipalMinter(self.settings.principal_signing_key)
        self.runtime.keys.follow("principal_signing_key", minter.replace)
        return minter

    @cached_property
    def cache_store(self) -> RedisStore:
        """The second level of the caches; connects at the first command."""
        client = RedisClient(self.settings.redis_url)
        self.runtime.on_close("cache", client.close)
        return RedisStore(client)

    @cached_property
    def invalidator(self) -> Invalidator:
        """Tells the caches what this service changed."""
        publish = partial(self.bus.publish_core, cache_invalidated(self.runtime.service))
        return Invalidator(self.runtime.service, self.cache_store, publish)

    @classmethod
    async def open(cls, runtime: Runtime[S]) -> Service[S]:
        """Connect to NATS and PostgreSQL; commits announce over NATS what they wrote."""
        bus = await runtime.open(Bus.connect(runtime.settings.nats_url, runtime.name))
        database = await runtime.open(Database.open(runtime.settings, application_name=runtime.name))
        database.announce_through(bus.announce)
        database.audit_through(audit_recorder(runtime.service))
        known = {rule.name for rules in runtime.quotas.values() for rule in rules}
        limits = read_limits(runtime.settings.quotas, known)
        database.quotas = Quotas(runtime.quotas.get(runtime.service, ()), limits)
        database.list_totals = Memory("list_totals", max_entries=_LARGE_LISTS)
        service = cls(runtime, bus, database)
        database.invalidate_through(service.invalidator.tell)
        return service

    def channel(self, address: str, service: str) -> RpcChannel:
        """A channel to another service, closed at the end."""
        credentials = channel_credentials(self.settings)
        channel = open_channel(address, audience=service, minter=self._minter, credentials=credentials)
        self.runtime.on_close(service, channel.close)
        return channel

    async def serve(self, *servicers: AddServicer, gauges: Gauges = dict) -> None:
        """Start the gRPC server with these servicers, the queue's and the status. Call it last: it stops first."""
        name, settings = self.runtime.service, self.settings
        ping = partial(redis_ping, settings.redis_url)
        status = StatusServicer(settings, name, database=self.database, redis_ping=ping, bus=self.bus, gauges=gauges)
        jobs = JobsServicer(name, self.runtime.area, self.database, self.cursors)
        standard: list[AddServicer] = [
            (add_JobsServiceServicer_to_server, jobs),
            (add_StatusServiceServicer_to_server, status),
            (add_QuotaServiceServicer_to_server, QuotaServicer(self.runtime.area, self.database)),
        ]
        await self.runtime.serve_rpc([*servicers, *standard])

    def reencrypt(self, handlers: Handlers, columns: Sequence[SealedColumn]) -> None:
        """Encrypt these columns anew, in a job, whenever the encryption keys change."""
        work = Reencryption(reencryption_kind(self.runtime.service), self.envelope, columns)
        handlers.add(work.kind, work.run)
        work.take_keys(self.settings.encryption_keys)
        self.runtime.keys.follow("encryption_keys", work.take_keys)
        self.runtime.background("reencryption", partial(work.start_jobs, self.database, self.bus))

    def work(self, handlers: Handlers, subscribers: Subscriptions | None = None, *beside: Beside) -> None:
        """Keep the outbox relay, the job worker and, for topics with a handler, the event consumer running; `beside`
        are tasks that one process of the service does at a time."""
        name, settings = self.runtime.service, self.settings
        cache = CacheRelay(name, self.cache_store, self.invalidator)
        self.runtime.background("relay", OutboxRelay(settings, name, self.bus, cache.run, *beside).run)
        if subscribers:
            consumer = EventConsumer(self.bus, self.database, name, subscribers)
            self.runtime.background("subscribers", consumer.run)
        self.runtime.background("jobs", Worker(settings, name, self.database, self.bus, handlers).run)
