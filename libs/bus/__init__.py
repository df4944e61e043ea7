"""The connection to NATS, its one stream, and the names of subjects.

The only room that knows NATS. It knows no table: PostgreSQL holds every promise, and libs.events joins the two.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from libs.bus.connection import FAILURES, Bus

__all__ = ["FAILURES", "Bus"]


def __getattr__(name: str) -> Any:
    """Loaded at the first use: who only needs the names of subjects does not load the client."""
    if name not in __all__:
        raise AttributeError(name)
    from libs.bus import connection

    return getattr(connection, name)
