"""Deliveries of our webhooks, verified as Standard Webhooks asks (standardwebhooks.com): signature, id and time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

import standardwebhooks

from .errors import WebhookRefused
from .events import Event


class Webhook:
    """Verifies with one secret, or with two while a rotated one still counts."""

    def __init__(self, *secrets: str) -> None:
        if not secrets:
            raise ValueError("name the endpoint's secret")
        self._verifiers = [standardwebhooks.Webhook(secret) for secret in secrets]

    def verify(self, headers: Mapping[str, str], body: bytes) -> Event:
        """The event of a delivery: give the body's raw bytes. Raises WebhookRefused. Events may come more than once
        and out of order; `id` names each."""
        lower = {name.lower(): value for name, value in headers.items()}
        for verifier in self._verifiers:
            try:
                verifier.verify(body, lower)
            except standardwebhooks.WebhookVerificationError as error:
                refusal = error
            else:
                return cast(Event, json.loads(body))
        raise WebhookRefused(str(refusal)) from refusal
