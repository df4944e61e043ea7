"""The entry point of every process: settings, telemetry, signals, drain order, exit codes.

Exit codes: 0 stopped as asked, 1 failed, 2 cannot be configured, 3 cut off because draining took longer than
DRAIN_SECONDS, 128 + n on a second signal. A process obeys SIGTERM although its loop is blocked or a task swallows its
cancellation: the first signal arms a thread that ends the process past the budget.
"""

from libs.runtime.commands import EXIT_CONFIG, run_process, service_main
from libs.runtime.process import EXIT_FAILED, Runtime
from libs.runtime.signals import EXIT_CUT_OFF

__all__ = ["EXIT_CONFIG", "EXIT_CUT_OFF", "EXIT_FAILED", "Runtime", "run_process", "service_main"]
