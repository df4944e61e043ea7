"""Secrets of a process as files: its environment, which every process of the same user can read, names them only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from local.stores import write_private

# The variables that the settings of any service declare as secret; a test compares.
SECRET = frozenset((
    "CURSOR_KEY", "DATABASE_ADMIN_URL", "DATABASE_APP_PASSWORD", "DATABASE_DIRECT_URL", "DATABASE_REPLICA_URL",
    "DATABASE_SYSTEM_PASSWORD", "DATABASE_SYSTEM_URL", "DATABASE_URL", "EMBEDDINGS_API_KEY", "ENCRYPTION_KEYS",
    "GRPC_TLS_KEY", "NATS_URL", "OPENID_CLIENT_SECRET", "PRINCIPAL_SIGNING_KEY", "REALTIME_TOKEN_KEYS", "REDIS_URL",
    "SMTP_URL", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS",
))  # fmt: skip

# No secret, and a file too: processes read it again when keys are replaced.
REPLACED = frozenset(("PRINCIPAL_TRUSTED_KEYS",))


def by_file(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with NAME_FILE in place of each NAME that is a secret or is replaced; writes the files below
    `folder`."""
    named = {}
    for name, value in environment.items():
        if name in SECRET | REPLACED:
            write_private(folder / name, value)
            named[f"{name}_FILE"] = str(folder / name)
        else:
            named[name] = value
    return named
