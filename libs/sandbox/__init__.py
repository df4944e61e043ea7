"""Runs a function in a confined child process: the one sandbox for heavy work and for hostile input.

A sandbox owns a template process. The template imports what the calls need, gives up its rights and then forks once
per call. A call therefore starts warm, knows nothing of earlier calls and ends with its process. The layers are listed
in `confinement`, and docs/adr says what each of them stops.
"""

from libs.sandbox.errors import Crashed, LimitExceeded, Refused, SandboxError
from libs.sandbox.limits import Limits, Usage
from libs.sandbox.sandbox import Sandbox, run_once

__all__ = ["Crashed", "LimitExceeded", "Limits", "Refused", "Sandbox", "SandboxError", "Usage", "run_once"]
