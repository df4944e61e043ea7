"""ElevenLabs: conversational agents. Shapes are those of the official `elevenlabs` SDK and its page on webhooks."""

from providers.elevenlabs import calls
from providers.elevenlabs.agents import list_agents
from providers.elevenlabs.report import SHAPE, read_audio, read_report
from providers.elevenlabs.webhook import SIGNATURE, verify
from providers.interface.provider import Provider, Webhook

PROVIDER = Provider(
    name="elevenlabs",
    title="ElevenLabs",
    address="https://api.elevenlabs.io",
    key_headers=lambda api_key: {"xi-api-key": api_key},
    webhook=Webhook(
        path="/api/webhooks/elevenlabs/{orgToken}/post-call",
        summary="Post-call webhook of ElevenLabs",
        proof_headers=(SIGNATURE,),
        verify=verify,
    ),
    shape=SHAPE,
    read_report=read_report,
    read_audio=read_audio,
    list_agents=list_agents,
    calls=calls,
    fetch_recording=calls.fetch_recording,
)
