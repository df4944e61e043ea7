"""How long tests wait for what must come. They judge by order and count: a slow machine fails none of them."""

from __future__ import annotations

# Seconds after which what did not come counts as what never comes. How soon a right ends is not judged with it:
# tests/unit/gateway/test_principals.py has the bound of a second.
PATIENCE_SECONDS = 300.0
