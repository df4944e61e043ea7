"""Retell: voice agents. Shapes are those of the official `retell-sdk`. It signs webhooks with the API key."""

from providers.interface.provider import Provider, Webhook, bearer
from providers.retell import calls
from providers.retell.agents import list_agents
from providers.retell.report import SHAPE, read_report
from providers.retell.webhook import SIGNATURE, secrets, verify

PROVIDER = Provider(
    name="retell",
    title="Retell",
    address="https://api.retellai.com",
    key_headers=bearer,
    webhook=Webhook(
        path="/api/webhooks/retell/{orgToken}",
        summary="Webhook of Retell",
        proof_headers=(SIGNATURE,),
        verify=verify,
        secrets=secrets,
    ),
    shape=SHAPE,
    read_report=read_report,
    list_agents=list_agents,
    calls=calls,
    fetch_recording=calls.fetch_recording,
)
