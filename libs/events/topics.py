"""The one table of events: topic, owner, the message of events/v1 that is its data, and what the event says.

An event that is not here cannot be appended, and one that no service appends is not here: customers subscribe to what
the table offers (tests/contract holds both).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from google.protobuf.message import Message

from echosenseix.events.v1 import events_pb2 as pb


@dataclass(frozen=True, slots=True)
class Topic:
    """Who appends the event (empty: every service, for its own jobs), the type of its data, and one sentence about
    it."""

    service: str
    message: type[Message]
    says: str


def _topics(service: str, message: type[Message], **says: str) -> Iterable[tuple[str, Topic]]:
    """Topics of one message; a keyword is the topic with `__` for its dot."""
    return ((name.replace("__", "."), Topic(service, message, sentence)) for name, sentence in says.items())


TOPICS: Mapping[str, Topic] = MappingProxyType(
    dict(
        [
            *_topics(
                "identity", pb.OrganizationChanged,
                org__created="The organization was registered.",
                org__updated="The organization's name or settings changed.",
            ),
            *_topics(
                "identity", pb.UserChanged,
                user__created="A user joined the organization.",
                user__updated="A user's address, role or rights changed.",
                user__removed="A user was removed from the organization.",
            ),
            *_topics(
                "identity", pb.WhiteLabelHostChanged,
                white_label_host__missing="The record that proves a host is gone; the host is lost at `lostAfter`.",
                white_label_host__lost="A host shows the organization no more, because its record was gone for a week.",
            ),
            *_topics("identity", pb.MailRequested, mail__requested="A mail to one address is to be sent."),
            *_topics(
                "identity", pb.ApiKeyChanged,
                api_key__created="An API key was made.",
                api_key__rotated="An API key got a new secret; the old one works until its overlap ends.",
                api_key__revoked="An API key stopped working.",
            ),
            *_topics("identity", pb.SessionRevoked, session__revoked="A session was ended."),
            *_topics(
                "agent", pb.AgentChanged,
                agent__created="An agent was made.",
                agent__updated="An agent's draft changed.",
                agent__published="A version of an agent began to serve calls.",
                agent__deleted="An agent was archived; its calls stay.",
            ),
            *_topics(
                "agent", pb.IntegrationChanged,
                integration__updated="The credentials or settings of a provider changed.",
                integration__synced="Agents and calls of a provider were read.",
                integration__failed="Reading a provider failed.",
            ),
            *_topics(
                "knowledge", pb.DocumentChanged,
                document__uploaded="A document was stored and is being read.",
                document__processed="A document can be searched.",
                document__failed="A document could not be read; `errorCode` says why.",
            ),
            *_topics(
                "knowledge", pb.EntryChanged,
                entry__created="An entry of the knowledge base was made.",
                entry__updated="An entry of the knowledge base changed.",
                entry__deleted="An entry of the knowledge base was deleted.",
            ),
            *_topics(
                "calllog", pb.CallChanged,
                call__started="A call began.",
                call__updated="More became known of a call.",
                call__ended="A call ended; it is recorded, and billed where it is billable.",
                call__recording_ready="The recording of a call can be fetched.",
            ),
            *_topics("billing", pb.UsageRecorded, usage__recorded="Usage was rated and booked."),
            *_topics(
                "billing", pb.CreditChanged,
                credit__low="The credit fell below the limit for alerts.",
                credit__depleted="The credit is used up.",
                credit__topped_up="Credit was added.",
            ),
            *_topics(
                "realtime", pb.WebhookEndpointChanged,
                webhook_endpoint__failing="A webhook endpoint takes no deliveries; it is disabled at `disabledAfter`.",
                webhook_endpoint__disabled="A webhook endpoint was disabled; `reason` is gone or failing.",
                webhook__test="A test delivery that a customer asked for.",
            ),
            *_topics(
                "", pb.JobChanged,
                job__progressed="A job got further.",
                job__finished="A job ended.",
            ),
            *_topics(
                "calllog", pb.CallTurn,
                call__turn="Something was said in a call that is under way.",
            ),
            *_topics(
                "calllog", pb.CallCommandChanged,
                call__command_requested="A command was sent to a call that is under way.",
                call__command_settled="A command was acknowledged, failed or timed out.",
            ),
            *_topics("", pb.AuditRecorded, audit__recorded="A write was made, by whom and of what."),
        ]
    )
)  # fmt: skip

# Between services alone: neither logged nor shown, because the data carry a secret or what only few may read.
UNTOLD = frozenset({"mail.requested", "audit.recorded"})
# What customers are told: all but those and the progress of jobs, which is not stored.
LOGGED = tuple(name for name, topic in TOPICS.items() if topic.service and name not in UNTOLD)
