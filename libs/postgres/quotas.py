"""Quotas: how much of a kind an organization may have, counted in the transaction that adds it.

Rows are counted under a lock that other additions to the same quota wait for. A quota by the day has counters, because
its table is too large to count at each write. It must not know what is counted: the rules come from the composition.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from libs.config import ConfigError
from libs.errors import FailedPrecondition
from libs.postgres.connection import Connection

_LOCK = "select pg_advisory_xact_lock(hashtextextended(current_schema() || $1, 0))"
_SPEND = """
with mine as (
    insert into quota_use as q (org_id, name, day, shard, used)
    values ($1, $2, (clock_timestamp() at time zone 'utc')::date, pg_backend_pid() % 16, $3)
    on conflict (org_id, name, day, shard) do update set used = q.used + excluded.used
    returning q.day, q.shard, q.used
)
select (m.used + coalesce((
    select sum(o.used) from quota_use o
    where o.org_id = $1 and o.name = $2 and o.day = m.day and o.shard <> m.shard
), 0))::bigint from mine m"""
_SPENT = """
select coalesce(sum(q.used), 0)::bigint from quota_use q
where q.org_id = $1 and q.name = $2 and q.day = (clock_timestamp() at time zone 'utc')::date"""


class Rule(Protocol):
    """suite.tables.Quota says what the fields mean."""

    @property
    def name(self) -> str: ...
    @property
    def limit(self) -> int: ...
    @property
    def things(self) -> str: ...
    @property
    def remedy(self) -> str: ...
    @property
    def table(self) -> str: ...
    @property
    def counts(self) -> str: ...
    @property
    def per(self) -> str: ...
    @property
    def sums(self) -> str: ...
    @property
    def daily(self) -> bool: ...
    @property
    def owner(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Use:
    """What an organization has of a quota; of one that counts within a value, what the fullest has."""

    name: str
    limit: int
    used: int


class Quotas:
    """The quotas of one schema. `limits` replaces limits by name."""

    def __init__(self, rules: Iterable[Rule] = (), limits: Mapping[str, int] | None = None) -> None:
        self._rules = {rule.name: rule for rule in rules}
        self._limits = {name: rule.limit for name, rule in self._rules.items()} | {
            name: limit for name, limit in (limits or {}).items() if name in self._rules
        }

    def __contains__(self, name: str) -> bool:
        return name in self._rules

    async def admit(self, conn: Connection, org_id: str, *names: str, adding: int = 1, within: str = "") -> None:
        """Let `adding` more into these quotas of one table. Call it before the insert, in its transaction.

        Raises FailedPrecondition("quota_reached")."""
        rules = [self._rules[name] for name in names]
        await conn.execute(_LOCK, f"quota\x1f{rules[0].table}\x1f{org_id}\x1f{within}")
        counts = ", ".join(f"({_counting(rule, self._limits[rule.name])})" for rule in rules)
        args = [org_id, within] if any(rule.per for rule in rules) else [org_id]
        found: list[int] = await conn.fetchval(f"select array[{counts}]::bigint[]", *args)
        for rule, used in zip(rules, found, strict=True):
            self._check(rule, used + adding)

    async def spend(self, conn: Connection, org_id: str, name: str, amount: int = 1) -> None:
        """Add to a quota by the day; the refusal rolls it back. Writers at the same instant may pass it together."""
        used: int = await conn.fetchval(_SPEND, org_id, name, amount)
        self._check(self._rules[name], used)

    async def used(self, conn: Connection, org_id: str) -> list[Use]:
        """What the organization has of each, counted up to the limit."""
        found = []
        for name, rule in self._rules.items():
            sql = _SPENT if rule.daily else _reading(rule, self._limits[name])
            used: int = await conn.fetchval(sql, *([org_id, name] if rule.daily else [org_id]))
            found.append(Use(name, self._limits[name], used))
        return found

    def _check(self, rule: Rule, wanted: int) -> None:
        limit = self._limits[rule.name]
        if wanted > limit:
            raise FailedPrecondition(
                "quota_reached",
                f"At most {limit:,} {rule.things}. {rule.remedy}",
                metadata={"quota": rule.name, "limit": str(limit)},
            )


def read_limits(entries: Iterable[str], known: Iterable[str]) -> dict[str, int]:
    """QUOTAS: "agents=20,api_keys=5". Raises ConfigError with a sentence for each entry that cannot work."""
    names, found, problems = set(known), dict[str, int](), list[str]()
    for entry in entries:
        name, _, number = entry.partition("=")
        if name in names and number.isdecimal():
            found[name] = int(number)
        else:
            problems.append(f"QUOTAS has {entry}; an entry is the name of a quota, = and a whole number")
    if problems:
        raise ConfigError(problems)
    return found


def _counting(rule: Rule, limit: int) -> str:
    """$1 the organization, $2 the value of `per`."""
    source = f"from {rule.table} t where t.{rule.owner} = $1 and {rule.counts}"
    if rule.sums:
        return f"select coalesce(sum(t.{rule.sums}), 0)::bigint {source}"
    within = f" and t.{rule.per} = $2" if rule.per else ""
    return f"select count(*) from (select {source}{within} limit {limit + 1}) counted"


def _reading(rule: Rule, limit: int) -> str:
    if not rule.per:
        return _counting(rule, limit)
    source = f"from {rule.table} t where t.{rule.owner} = $1 and {rule.counts}"
    return f"select coalesce(max(g.n), 0) from (select count(*) as n {source} group by t.{rule.per}) g"
