"""A customer for benches: signs up at the running suite, quietly, and has an agent tied to a provider."""

from __future__ import annotations

import io
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from local.demo.api import Api
from local.demo.console import Console
from local.demo.journey import Journey, publish_an_agent, sign_up

CREDENTIALS = Path(__file__).resolve().parent.parent / "var" / "credentials.json"


@dataclass
class Customer:
    api: Api
    journey: Journey

    @classmethod
    async def sign_up(cls) -> Customer:
        console = Console(io.StringIO())
        url = json.loads(CREDENTIALS.read_text("utf-8"))["url"]
        journey = Journey(Api(url, console), console)
        await sign_up(journey)
        return cls(journey.api, journey)

    async def connect_agent(self) -> tuple[str, str]:
        """The provider's agent id and the webhook secret of a published agent."""
        self.journey.external_agent_id = "agent_" + secrets.token_hex(8)
        await publish_an_agent(self.journey)
        return self.journey.external_agent_id, self.journey.webhook_secret

    @property
    def credential(self) -> str:
        """The Authorization header of its API key."""
        return self.api.authorization

    @property
    def webhook_path(self) -> str:
        return "/" + self.journey.made["webhookUrl"].split("/", 3)[3]
