"""A process that makes spans: two that belong together; `SPANS` more, each timed."""

import asyncio
import os
import statistics
import sys
import time
from pathlib import Path

from libs.config import ServiceSettings
from libs.runtime import Runtime, service_main
from libs.telemetry import span, use_traceparent

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def main(runtime: Runtime[ServiceSettings]) -> None:
    times = [0.0]
    with use_traceparent(TRACEPARENT), span("outer", kind="server"), span("inner"):
        await asyncio.sleep(0)
    for _ in range(int(os.environ.get("SPANS", "0"))):
        begun = time.perf_counter()
        with span("more"):
            pass
        times.append(time.perf_counter() - begun)
    sys.stdout.write(f"median_ms={statistics.median(times) * 1000:.3f} total_s={sum(times):.3f} \n")
    sys.stdout.flush()


if __name__ == "__main__":
    service_main("traced", ServiceSettings, area="traced", serve=main, work=main, migrations=Path("none"))
