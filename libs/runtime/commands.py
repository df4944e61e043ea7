"""The commands of a process: settings loaded, telemetry set up, then serve, work or migrate."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from libs import telemetry
from libs.config import ConfigError, ProcessSettings, ServiceSettings, load
from libs.runtime.process import EXIT_FAILED, Runtime

_log = logging.getLogger(__name__)

# Exit code of a process that cannot be configured.
EXIT_CONFIG = 2
# What a process that serves or works must be told in production.
IN_PRODUCTION = (
    "redis_url", "nats_url", "principal_signing_key", "principal_trusted_keys", "encryption_keys", "cursor_key",
)  # fmt: skip

S = TypeVar("S", bound=ServiceSettings)
P = TypeVar("P", bound=ProcessSettings)


def service_main(
    service: str,
    settings: type[S],
    *,
    area: str,
    serve: Callable[[Runtime[S]], Awaitable[object]],
    work: Callable[[Runtime[S]], Awaitable[object]],
    migrations: Path,
    quotas: Mapping[str, Any] | None = None,
    further: Mapping[str, Callable[[S], Coroutine[Any, Any, int]]] | None = None,
) -> NoReturn:
    """`python -m services.<svc> serve|work|migrate|migrated`: the body of every __main__. `migrated` waits until the
    schema has every migration of this release, so that a process starts behind the command that migrates. `further`
    commands do one thing with the database and return the exit code."""
    databases = ("database_url", "database_system_url")
    commands: dict[str, tuple[Callable[[S], int], tuple[str, ...]]] = {
        "serve": (lambda loaded: Runtime(loaded, service, "serve", area, quotas).run(serve), databases),
        "work": (lambda loaded: Runtime(loaded, service, "work", area, quotas).run(work), databases),
        "migrate": (lambda loaded: _migrate(loaded, service, migrations), ("database_admin_url",)),
        "migrated": (lambda loaded: _await_migrated(loaded, service, migrations), ("database_system_url",)),
    }
    for name, run in (further or {}).items():
        commands[name] = (lambda loaded, run=run: asyncio.run(run(loaded)), databases)  # type: ignore[misc]
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.stderr.write(f"usage: python -m services.{service} {'|'.join(commands)}\n")
        sys.exit(EXIT_CONFIG)
    command, required = commands[sys.argv[1]]
    in_production = IN_PRODUCTION if required == databases else ()
    sys.exit(run_process(service, settings, command, require=required, in_production=in_production))


def run_process(
    service: str,
    settings: type[P],
    command: Callable[[P], int],
    *,
    require: Iterable[str] = (),
    in_production: Iterable[str] = (),
) -> int:
    """Load settings, set telemetry up, run; answers the exit code. The gateway uses it too. `in_production` must be set
    there, beside what `require` names everywhere."""
    try:
        loaded = load(settings, require=require, require_in_production=in_production)
        telemetry.setup(service, loaded)
        return command(loaded)
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"{service}: {problem}\n")
        return EXIT_CONFIG
    except Exception:
        # Never as a bare traceback: that would go past the log's redaction.
        _log.exception("%s failed", service)
        return EXIT_FAILED


def _migrate(settings: ServiceSettings, service: str, migrations: Path) -> int:
    from libs.postgres.migrate import migrate

    applying: Coroutine[Any, Any, list[str]] = migrate(settings, service, migrations, settings.migrate_patience)
    applied = asyncio.run(applying)
    _log.info("migrated", extra={"applied": applied})
    return 0


def _await_migrated(settings: ServiceSettings, service: str, migrations: Path) -> int:
    from libs.postgres.migrate import await_migrated

    waiting: Coroutine[Any, Any, None] = await_migrated(settings, service, migrations)
    asyncio.run(waiting)
    return 0
