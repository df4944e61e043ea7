"""What a person reads when the suite is up: the addresses, the key, and three commands to try.

Reads run.json and credentials.json; shows the API key on purpose, because it is the owner's own local one.
"""

from __future__ import annotations

from local.paths import ROOT
from local.runner.folder import Folder

TEXT = """
  console     {url}/app
  gateway     {url}
  docs        {url}/docs
  realtime    {realtimeUrl}
  events      {eventsUrl}
  API key     {apiKey}
  sign in     {email} / {password}

Try:
  curl -s {url}/health
  curl -s -H 'Authorization: Bearer {apiKey}' '{url}/api/agents?page=1&limit=50'
  curl -s -H 'Authorization: Bearer {apiKey}' -H 'Content-Type: application/json' \\
       -d '{{"name":"My first agent","systemPrompt":"You are helpful."}}' {url}/api/agents

The same for scripts: {credentials} and {run}. `make status`, `make logs`, `make down`."""


def text(folder: Folder) -> str:
    known = folder.read_credentials()
    if not known:
        return "Running, without a gateway: no credentials were made."
    return TEXT.format(**known, credentials=_short(folder, "credentials.json"), run=_short(folder, "run.json"))


def _short(folder: Folder, name: str) -> str:
    path = folder.path / name
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
