"""What a process reports about itself: JSON logs, metrics, traces, and the HTTP server of the operations port.

`setup` is called once by libs.runtime. Nothing here may block a request or fail one: exporters are bounded, and a
secret never leaves through a log line (libs.telemetry.redaction).
"""

from libs.config import ProcessSettings, secret_values
from libs.telemetry import logs, redaction, traces
from libs.telemetry.traces import current_traceparent, new_traceparent, span, use_traceparent

__all__ = [
    "current_traceparent",
    "new_traceparent",
    "setup",
    "span",
    "use_traceparent",
]


def setup(service: str, settings: ProcessSettings) -> None:
    """Logs to standard output as JSON with the settings' secrets masked; traces leave only if a collector is named."""
    redaction.register(secret_values(settings))
    logs.setup(service, settings.instance, settings.log_level)
    if settings.otlp_endpoint:
        traces.start_export(service, settings.instance, settings.otlp_endpoint)
