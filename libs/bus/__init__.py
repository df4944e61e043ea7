"""The connection to NATS, its one stream, and the names of subjects.

The only room that knows NATS. It knows no table: PostgreSQL holds every promise, and libs.events joins the two.
"""

from libs.bus.connection import FAILURES, Bus

__all__ = ["FAILURES", "Bus"]
