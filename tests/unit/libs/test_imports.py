"""What every process loads stays light (docs/adr/0013): heavy libraries wait for their first use."""

import subprocess
import sys

import pytest

SERVED = (
    *(
        "libs.runtime",
        "libs.rpc.server",
        "libs.rpc.channel",
        "libs.rpc.status",
        "libs.http",
        "libs.blobs",
        "libs.cache",
    ),
    *("libs.ratelimit", "libs.crypto", "libs.jobs", "libs.bus", "libs.events", "libs.postgres"),
)
HEAVY = ("redis", "httpx", "httpcore", "jwt", "opentelemetry.sdk", "opentelemetry.exporter", "obstore", "numpy")


@pytest.mark.parametrize("module", SERVED)
def test_a_module_of_every_process_imports_nothing_heavy(module: str) -> None:
    program = f"import sys, {module}; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=".")
    assert done.stdout.split() == []
