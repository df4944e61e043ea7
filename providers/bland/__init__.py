"""Bland: phone calls by conversational pathways. There is no official Python SDK; shapes are those of docs.bland.ai."""

from providers.bland import calls
from providers.bland.agents import list_agents
from providers.bland.report import SHAPE, read_report
from providers.bland.webhook import SIGNATURE, verify
from providers.interface.provider import Provider, Webhook, bearer

PROVIDER = Provider(
    name="bland",
    title="Bland",
    address="https://api.bland.ai",
    key_headers=bearer,
    webhook=Webhook(
        path="/api/webhooks/bland/{orgToken}",
        summary="Post-call webhook of Bland",
        proof_headers=(SIGNATURE,),
        verify=verify,
    ),
    shape=SHAPE,
    read_report=read_report,
    list_agents=list_agents,
    calls=calls,
    fetch_recording=calls.fetch_recording,
)
