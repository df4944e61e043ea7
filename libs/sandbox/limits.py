"""What a call may use, and what it used."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """`memory_mb` is address space beyond what the template has mapped already. `wall_seconds` counts only the time
    that the caller waits for the child: a caller that is slow to take streamed values costs the child nothing."""

    memory_mb: int = 512
    cpu_seconds: int = 60
    wall_seconds: float = 120.0
    output_bytes: int = 64 << 20


@dataclass(slots=True)
class Usage:
    """Filled when a call ends, however it ends."""

    cpu_seconds: float = 0.0
    peak_rss_mb: int = 0
