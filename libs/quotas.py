"""Quotas: how many things of a kind an organization may have, and the one refusal that says so.

The caller counts in the transaction that adds, under a lock that other additions of the organization wait for. It must
not know what is counted.
"""

from dataclasses import dataclass

from libs.errors import FailedPrecondition


@dataclass(frozen=True, slots=True)
class Quota:
    """`name` is how clients know it (api_keys), `things` how the sentence calls it."""

    name: str
    limit: int
    things: str
    remedy: str

    def check(self, count: int) -> None:
        """Raises FailedPrecondition("quota_reached") when `count` things are there already."""
        if count >= self.limit:
            raise FailedPrecondition(
                "quota_reached",
                f"At most {self.limit} {self.things}. {self.remedy}",
                metadata={"quota": self.name, "limit": str(self.limit)},
            )
