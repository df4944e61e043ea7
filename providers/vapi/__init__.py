"""Vapi: voice assistants. Shapes are those of the official `vapi-server-sdk`."""

from providers.interface.provider import Provider, Webhook, bearer
from providers.vapi import calls
from providers.vapi.agents import list_agents
from providers.vapi.report import SHAPE, read_report
from providers.vapi.webhook import PROOF_HEADERS, verify

PROVIDER = Provider(
    name="vapi",
    title="Vapi",
    address="https://api.vapi.ai",
    key_headers=bearer,
    webhook=Webhook(
        path="/api/webhooks/vapi/{orgToken}",
        summary="Server messages of Vapi",
        proof_headers=PROOF_HEADERS,
        verify=verify,
    ),
    shape=SHAPE,
    read_report=read_report,
    list_agents=list_agents,
    calls=calls,
    fetch_recording=calls.fetch_recording,
)
