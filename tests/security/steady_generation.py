"""Hooks of schemathesis: every request of an operation is drawn anew.

The tool gives half of them, and more than half of its time, to a search near requests that succeeded (`Phase.target` of
hypothesis), and ends an operation early where the search finds no more. No option turns it off.
"""

import schemathesis.generation.metrics as metrics  # type: ignore[import-not-found]

if not callable(metrics.maximize):
    raise TypeError("schemathesis steers its search elsewhere now")
metrics.maximize = lambda *_, **__: None
