"""`python -m local verify-audit`: check the hash chains of the running suite's audit logs."""

from __future__ import annotations

import os
import subprocess
import sys

from local.paths import ROOT
from local.runner.folder import Folder
from local.runner.keys import Keys
from local.runner.topology import StoreUrls, database_environment


def verify_audit(folder: Folder) -> int:
    """The exit code of `python -m services.identity verify-audit`, which prints what it finds."""
    stores = folder.read_run()["stores"]
    database = stores["postgres"]["adminUrl"]
    urls = StoreUrls(database=database, direct=database, redis=stores["redis"]["url"], nats=stores["nats"]["url"])
    environment = database_environment(urls, Keys.load_or_create(folder.keys_file), "identity")
    command = [sys.executable, "-m", "services.identity", "verify-audit"]
    told = {**os.environ, **environment, "LOG_LEVEL": "WARNING"}
    return subprocess.run(command, cwd=ROOT, env=told, check=False).returncode  # noqa: S603 ourselves
