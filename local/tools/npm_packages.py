"""What npm installs for the tools, each version pinned, so that a new release does not fail a check that passed."""

from __future__ import annotations

# For `make clients`: the linter and the generators of TypeScript, and the compiler that judges what they make.
CLIENTS = (
    "@redocly/cli@2.77.0", "openapi-typescript@7.13.0", "openapi-fetch@0.17.0", "typescript@5.9.3",
    "@types/node@20.19.25",
)  # fmt: skip
# What the tests of the realtime service run its official clients with.
REALTIME_TESTS = ("centrifuge@5.7.4", "ws@8.18.3", "eventsource@4.1.0")
# For the lint of the console. The last three are vendored there: their types are what its modules are judged by.
CONSOLE_LINT = (
    "eslint@9.39.1", "@eslint/js@9.39.1", "eslint-plugin-react-hooks@5.2.0", "globals@16.5.0", "typescript@5.9.3",
    "preact@11.2.0", "htm@3.1.1", "lean-qr@2.7.4",
)  # fmt: skip
