"""The declaration of a provider: who it is, how its webhooks are verified and read, and what its API can be asked.

A capability that a provider lacks is None; callers check before they use it.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.http import OutboundClient
from libs.http.api import RemoteApi
from providers.interface.agents import RemotePage
from providers.interface.calls import CallSource
from providers.interface.credentials import Credentials, WebhookSecret, webhook_secrets
from providers.interface.envelopes import Envelope, Shape, parse_envelope, refuse_audio
from providers.interface.long_texts import LongText
from providers.interface.recordings import Audio, AudioLimits
from providers.interface.reports import ReportedCall

# Takes the secrets that are valid now, the proof headers that arrived (names in lower case), the raw body in pieces,
# which may be read more than once, and the time. Returns whether one of the secrets proves the sender.
VerifyWebhook = Callable[[Sequence[str], Mapping[str, str], Iterable[bytes], datetime], bool]
# Takes the cursor of the previous page, empty at first. Errors are those of RemoteApi.
ListAgents = Callable[[RemoteApi, str], Awaitable[RemotePage]]
# Takes the provider's id of the call. Returns the recording, which the caller closes; NotFound if there is none.
FetchRecording = Callable[[RemoteApi, str, AudioLimits], Awaitable[Audio]]


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where the provider delivers and how a delivery proves its sender.

    `path` contains `{orgToken}`. `proof_headers` are the only headers that `verify` gets, in lower case. `summary` is
    the title of the operation in the OpenAPI document. `secrets` are what an account signs its deliveries with."""

    path: str
    summary: str
    proof_headers: tuple[str, ...]
    verify: VerifyWebhook
    secrets: Callable[[Credentials], tuple[WebhookSecret, ...]] = webhook_secrets

    def address(self, public_url: str, token: str) -> str:
        """The URL that a customer enters at the provider."""
        return public_url + self.path.replace("{orgToken}", token)


@dataclass(frozen=True, slots=True)
class Provider:
    """`name` is the provider in URLs, rows and messages, `title` in texts for people. `address` is its API, and
    `key_headers` turns an API key into the headers of a request."""

    name: str
    title: str
    address: str
    key_headers: Callable[[str], Mapping[str, str]]
    webhook: Webhook
    shape: Shape
    read_report: Callable[[Envelope], ReportedCall]
    # Yields the recording in pieces; InvalidArgument at the piece that is not valid.
    read_audio: Callable[[Envelope], Iterator[bytes]] = refuse_audio
    list_agents: ListAgents | None = None
    calls: CallSource | None = None
    fetch_recording: FetchRecording | None = None

    def open_api(self, client: OutboundClient, credentials: Credentials) -> RemoteApi:
        """The provider's API with the key of an account."""
        headers = self.key_headers(credentials.api_key)
        return RemoteApi(client, self.title, credentials.base_url or self.address, headers)

    def parse_envelope(self, body: bytes, long_texts: Mapping[str, LongText] | None = None) -> Envelope:
        """The envelope in these bytes; InvalidArgument("webhook_payload_invalid") if they hold none. `long_texts` were
        taken out of them (providers.interface.long_texts)."""
        return parse_envelope(self.name, self.shape, body, long_texts)


def bearer(api_key: str) -> Mapping[str, str]:
    return {"authorization": f"Bearer {api_key}"}
