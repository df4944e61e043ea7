"""The one-statement tenant fence: a read that sets app.org and obeys row level security in a single round trip.

The lateral join makes the inner query depend on set_config's result, so the setting is made before a policy reads it;
both `offset 0` keep the planner from merging the two. The setting is local to the statement, so the fence also holds
behind a transaction pooler (docs/adr/0017-tenant-fence.md).
"""

import functools
import re

_FENCE = "select r.* from (select set_config('app.org', $1, true) as org offset 0) o cross join lateral ({} offset 0) r"
# The rows refer to the count, so that it is made once and before them; without a row there is one of nulls.
_COUNTED = (
    "select r.*, c.n as _total from (select set_config('app.org', $1, true) as org offset 0) o "
    "cross join lateral (select count(*) as n from ({}) m offset 0) c "
    "left join lateral (select p.* from ({}) p where c.n is not null offset 0) r on true"
)
_ORG = re.compile(r"\bo\.org\b", re.IGNORECASE)
_OFFSET = re.compile(r"\boffset\b", re.IGNORECASE)


@functools.lru_cache(maxsize=4096)
def fenced(sql: str) -> str:
    """`sql` behind the fence. It must filter by `o.org`; its own parameters start at $2, because $1 is the org."""
    inner = _checked(sql)
    if _OFFSET.search(inner):
        inner = f"select q.* from ({inner}) q"
    return _FENCE.format(inner)


@functools.lru_cache(maxsize=4096)
def fenced_with_total(sql: str, counted: str) -> str:
    """The same with the number of rows of `counted` beside each row as `_total`, in one statement. Both take the same
    parameters."""
    return _COUNTED.format(_checked(counted), _checked(sql))


def _checked(sql: str) -> str:
    inner = sql.strip().rstrip("; \n")
    if not _ORG.search(inner):
        raise ValueError("a tenant query must compare its org_id with o.org")
    return inner
