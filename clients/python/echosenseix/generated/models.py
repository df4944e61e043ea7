"""The JSON of the API as types. Written by `make python-client` from gateway/openapi.json."""

# ruff: noqa
from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class AcceptBody(TypedDict):
    token: str
    "What follows # in the mailed link."
    password: NotRequired[str]
    "Of the new account. Required unless the address has an account, which keeps its own."
    firstName: NotRequired[str]
    "The given name."
    lastName: NotRequired[str]
    "The family name."


class Accepted(TypedDict):
    """The user that the acceptance made. It signs in with its password."""

    user: Any
    "The user."
    organization: Any
    "The organization."


class Agent(TypedDict):
    id: str
    "The id; it never changes."
    status: Literal["active", "archived", "draft"] | None
    "Its state."
    publishedVersion: int | None
    "The version that serves calls; null before the first."
    hasUnpublishedChanges: bool
    "Whether the draft differs from the published version."
    organizationId: str
    "The organization that owns it."
    version: int
    "Counts the changes; ETag and If-Match name it."
    createdAt: str | None
    "When it was made."
    updatedAt: str | None
    "When it last changed."
    systemPrompt: str | None
    "What the agent is told to be."
    firstMessage: str | None
    "What the agent says first."
    language: str | None
    "BCP 47, such as en or pt-BR."
    voiceId: str | None
    "The voice, by the provider's id."
    llm: Any
    "The language model."
    dynamicVariables: dict[str, Any]
    "Values that prompts name as {{variable}}."
    maxDurationSeconds: int | None
    "Calls end after so many seconds; null: the provider's limit."
    knowledgeEntryIds: list[str]
    "The knowledge entries that the agent speaks from."
    name: str
    "A name for people."
    description: str | None
    "Free text for people."
    tags: list[str]
    "Words to find it by."
    provider: str | None
    "The voice platform."
    externalAgentId: str | None
    "The agent's id at the provider."


class AgentBody(TypedDict):
    systemPrompt: NotRequired[str | None]
    "What the agent is told to be."
    firstMessage: NotRequired[str | None]
    "What the agent says first."
    language: NotRequired[str | None]
    "BCP 47, such as en or pt-BR."
    voiceId: NotRequired[str | None]
    "The voice, by the provider's id."
    llm: NotRequired[LanguageModelBody | None]
    "The language model."
    dynamicVariables: NotRequired[dict[str, str | int | float | bool | None] | None]
    "Values that prompts name as {{variable}}."
    maxDurationSeconds: NotRequired[int | None]
    "Calls end after so many seconds; null: the provider's limit."
    knowledgeEntryIds: NotRequired[list[str] | None]
    "Ids of the knowledge entries that the agent speaks from."
    name: str
    "A name for people."
    description: NotRequired[str | None]
    "Free text for people."
    tags: NotRequired[list[str] | None]
    "Words to find it by."
    provider: NotRequired[Literal["bland", "elevenlabs", "retell", "vapi"] | None]
    "The voice platform."
    externalAgentId: NotRequired[str | None]
    "The agent's id at the provider."


class AgentChangedData(TypedDict):
    """What is not known is absent, an empty string or 0."""

    agentId: str
    "The agent."
    name: str
    "A name for people."
    status: str
    "Its state."
    publishedVersion: int
    "The version that serves calls."
    version: str
    "Counts the changes; ETag and If-Match name it."
    provider: str
    "The voice platform."
    externalAgentId: str
    "The agent's id at the provider."


class AgentChangedEvent(TypedDict):
    """A CloudEvent 1.0."""

    specversion: Literal["1.0"]
    "1.0."
    id: str
    "The event. Deliveries, streams and lists name it alike."
    type: Literal["agent.created", "agent.updated", "agent.published", "agent.deleted"]
    "What happened."
    source: str
    "The service that says so."
    subject: str
    "Whom or what it is about."
    time: str
    "When it happened."
    orgid: str
    "The organization that owns it."
    partitionkey: str
    "Events of one key come in the order of their commits."
    datacontenttype: str
    "The media type of `data`."
    traceparent: NotRequired[str]
    "The trace that caused it (W3C Trace Context)."
    data: Any
    "What changed."


class AgentConfiguration(TypedDict):
    """What a version froze."""

    systemPrompt: str | None
    "What the agent is told to be."
    firstMessage: str | None
    "What the agent says first."
    language: str | None
    "BCP 47, such as en or pt-BR."
    voiceId: str | None
    "The voice, by the provider's id."
    llm: Any
    "The language model."
    dynamicVariables: dict[str, Any]
    "Values that prompts name as {{variable}}."
    maxDurationSeconds: int | None
    "Calls end after so many seconds; null: the provider's limit."
    knowledgeEntryIds: list[str]
    "The knowledge entries that the agent speaks from."


class AgentGrant(TypedDict):
    agentId: str
    "The agent that is reached, with its calls and events."
    access: Literal["read", "write"]
    "`write` also changes the agent and its calls."
    grantedBy: str
    "The user who gave it last."
    createdAt: str | None
    "When it was made."


class AgentGrantBody(TypedDict):
    agentId: str
    "An agent of the organization. The id of none opens nothing."
    access: NotRequired[Literal["read", "write"]]
    "`write` also changes the agent and its calls."


class AgentGrants(TypedDict):
    userId: str
    "The user."
    agentAccess: Literal["all", "granted"] | None
    "Which agents a member or viewer reaches: all, or those granted. Owners and admins reach all."
    grants: list[AgentGrant]
    "Empty where all agents are reached."
    version: int
    "Of the user."


class AgentGrantsBody(TypedDict):
    """Replaces what was granted before."""

    agentAccess: Literal["all", "granted"]
    "`all`: grants are empty and every agent is reached."
    grants: NotRequired[list[AgentGrantBody]]
    "At most 100 agents. Default: []."


class AgentPatch(TypedDict):
    """RFC 7396: what is present is set, null clears; variables are merged by name."""

    systemPrompt: NotRequired[str | None]
    "What the agent is told to be."
    firstMessage: NotRequired[str | None]
    "What the agent says first."
    language: NotRequired[str | None]
    "BCP 47, such as en or pt-BR."
    voiceId: NotRequired[str | None]
    "The voice, by the provider's id."
    llm: NotRequired[LanguageModelPatch | None]
    "The language model."
    dynamicVariables: NotRequired[dict[str, str | int | float | bool | None] | None]
    "Values that prompts name as {{variable}}."
    maxDurationSeconds: NotRequired[int | None]
    "Calls end after so many seconds; null: the provider's limit."
    knowledgeEntryIds: NotRequired[list[str] | None]
    "Ids of the knowledge entries that the agent speaks from."
    name: NotRequired[str]
    "A name for people."
    description: NotRequired[str | None]
    "Free text for people."
    tags: NotRequired[list[str] | None]
    "Words to find it by."
    provider: NotRequired[Literal["bland", "elevenlabs", "retell", "vapi"] | None]
    "The voice platform."
    externalAgentId: NotRequired[str | None]
    "The agent's id at the provider."


class AgentRow(TypedDict):
    """An agent in a list: without its prompt and variables."""

    id: str
    "The id; it never changes."
    status: Literal["active", "archived", "draft"] | None
    "Its state."
    publishedVersion: int | None
    "The version that serves calls; null before the first."
    hasUnpublishedChanges: bool
    "Whether the draft differs from the published version."
    organizationId: str
    "The organization that owns it."
    version: int
    "Counts the changes; ETag and If-Match name it."
    createdAt: str | None
    "When it was made."
    updatedAt: str | None
    "When it last changed."
    firstMessage: str | None
    "What the agent says first."
    language: str | None
    "BCP 47, such as en or pt-BR."
    voiceId: str | None
    "The voice, by the provider's id."
    llm: Any
    "The language model."
    maxDurationSeconds: int | None
    "Calls end after so many seconds; null: the provider's limit."
    knowledgeEntryIds: list[str]
    "The knowledge entries that the agent speaks from."
    name: str
    "A name for people."
    description: str | None
    "Free text for people."
    tags: list[str]
    "Words to find it by."
    provider: str | None
    "The voice platform."
    externalAgentId: str | None
    "The agent's id at the provider."


class AgentVersion(TypedDict):
    id: str
    "The id; it never changes."
    agentId: str
    "The agent; null when none is known."
    version: int
    "The version's number, from 1."
    description: str | None
    "Free text for people."
    createdBy: str | None
    "The user who made it."
    createdAt: str | None
    "When it was made."
    configuration: AgentConfiguration | None
    "What the agent said and how in this version; null in lists."


class AnswerContext(TypedDict):
    context: str
    "The passages as one text for a prompt, numbered, each below its source."
    passages: list[SearchHit]
    "The best hits that fit the budget together, the best first."
    tokenCount: int
    "The length in tokens of the embedding model."
    queryId: str
    "Names this search in a report."
    tookMs: int
    "How long the search took in milliseconds."
    mode: Literal["hybrid", "keyword", "vector"] | None
    "hybrid, keyword or vector."
    fallbackReason: str | None
    "Why another mode was used than was asked for; null if it was not."


class AnswerContextBody(TypedDict):
    query: str
    "What is looked for, in words."
    mode: NotRequired[Literal["hybrid", "keyword", "vector"] | None]
    "hybrid, keyword or vector."
    maxTokens: NotRequired[int | None]
    "Of all passages together, 1200 when left out."
    filters: NotRequired[FiltersBody | None]
    "Search only what fits."


class ApiKey(TypedDict):
    id: str
    "The id; it never changes."
    name: str
    "A name for people."
    prefix: str
    "The beginning of the key, to recognize it by."
    scopes: list[str]
    "What may be done, as area:read or area:write; * is everything."
    createdBy: str | None
    "The user who made it."
    createdAt: str | None
    "When it was made."
    expiresAt: str | None
    "When it stops working; null: never."
    lastUsedAt: str | None
    "When it was last used, to the minute; null: never."
    revokedAt: str | None
    "When it was revoked; null while it works."
    allowedAddresses: list[str]
    "Networks (CIDR) or addresses from which the key may be used; none: from anywhere."
    version: int
    "Counts the changes; ETag and If-Match name it."


class ApiKeyBody(TypedDict):
    name: str
    "A name for people."
    scopes: list[Literal["*", "members:read", "members:write", "agents:read", "agents:write", "knowledge:read", "knowledge:write", "calls:read", "calls:write", "billing:read", "billing:write", "realtime:read", "realtime:write", "webhooks:read", "webhooks:write", "integrations:read", "integrations:write", "organizations:read", "organizations:write", "audit:read"]]
    "What may be done, as area:read or area:write; * is everything."
    expiresAt: NotRequired[str | None]
    "When it stops working; null: never."
    allowedAddresses: NotRequired[list[str]]
    "Default: []."


class ApiKeyChangedData(TypedDict):
    """What is not known is absent, an empty string or 0."""

    apiKeyId: str
    "The API key."
    name: str
    "A name for people."
    prefix: str
    "The beginning of the key, to recognize it by."


class ApiKeyChangedEvent(TypedDict):
    """A CloudEvent 1.0."""

    specversion: Literal["1.0"]
    "1.0."
    id: str
    "The event. Deliveries, streams and lists name it alike."
    type: Literal["api_key.created", "api_key.rotated", "api_key.revoked"]
    "What happened."
    source: str
    "The service that says so."
    subject: str
    "Whom or what it is about."
    time: str
    "When it happened."
    orgid: str
    "The organization that owns it."
    partitionkey: str
    "Events of one key come in the order of their commits."
    datacontenttype: str
    "The media type of `data`."
    traceparent: NotRequired[str]
    "The trace that caused it (W3C Trace Context)."
    data: Any
    "What changed."


class Attempt(TypedDict):
    attempt: int
    "Which attempt it is, from 1."
    worker: str | None
    "The process that ran it."
    outcome: str | None
    "How the attempt ended; null while it runs."
    error: JobError | None
    "What went wrong; null when nothing did."
    startedAt: str | None
    "When it began; null before."
    endedAt: str | None
    "When it ended; null while it runs."


class AuditLog(TypedDict):
    """One write. `targetId` is what the path named, or what was made."""

    id: str
    "The id; it never changes."
    number: int
    "Counts the organization's writes from 1, without a gap."
    action: str
    "The operationId of the request."
    targetId: str | None
    "What was written."
    userId: str | None
    "The user who acted; of a key, the user who made it."
    sessionId: str | None
    "The session that acted."
    apiKeyId: str | None
    "The API key that acted."
    role: str | None
    "The role of the user at that time."
    ipAddress: str | None
    "Where the session was opened from."
    requestId: str
    "The X-Request-Id of the request."
    service: str
    "The service."
    createdAt: str | None
    "When it was made."


class AuditLogEntry(TypedDict):
    """With what was changed."""

    id: str
    "The id; it never changes."
    number: int
    "Counts the organization's writes from 1, without a gap."
    action: str
    "The operationId of the request."
    targetId: str | None
    "What was written."
    userId: str | None
    "The user who acted; of a key, the user who made it."
    sessionId: str | None
    "The session that acted."
    apiKeyId: str | None
    "The API key that acted."
    role: str | None
    "The role of the user at that time."
    ipAddress: str | None
    "Where the session was opened from."
    requestId: str
    "The X-Request-Id of the request."
    service: str
    "The service."
    createdAt: str | None
    "When it was made."
    changes: list[dict[str, Any]]
    "By row: table, operation, id, and the columns that differ, before and after."


class AuditSeal(TypedDict):
    """One link of the hash chain."""

    number: int
    "Counts the seals from 1."
    firstNumber: int
    "The first write that it covers."
    lastNumber: int
    "The last write that it covers."
    previousHash: str
    "The hash of the seal before it; zeros before the first."
    hash: str
    "SHA-256 over the previous hash and every covered write."
    createdAt: str | None
    "When it was made."


class Balance(TypedDict):
    """available = posted - reserved."""

    available: str
    "What can be spent: posted less reserved."
    reserved: str
    "What running calls hold back."
    posted: str
    "What was paid in less what was used."
    currency: str
    "ISO 4217."


class BeginBody(TypedDict):
    password: str
    "The current password."


class Bucket(TypedDict):
    startAt: str | None
    "When the bucket begins."
    calls: int
    "How many calls there are."
    minutes: float
    "The length of the calls in minutes."
    successfulCalls: int
    "Calls that the provider judged successful."
    failedCalls: int
    "Calls that the provider judged unsuccessful."
    cost: Money | None
    "What the customer pays for it; null until it is rated."


class CacheRow(TypedDict):
    """One class of cached values, summed over all gateways since their starts."""

    name: str
    "The class, as in docs/caching.md."
    hits: int
    "Reads that memory or Redis answered."
    misses: int
    "Reads that went to the service."
    staleAnswers: int
    "Older values within the bound, because the source was away."
    heartbeatSeconds: float
    "The age of the last evidence that invalidations arrive."


class Call(TypedDict):
    id: str
    "The id; it never changes."
    agentId: str | None
    "The agent; null when none is known."
    agentVersion: int | None
    "The published version that served the call."
    externalCallId: str | None
    "The call's id at the provider."
    externalAgentId: str | None
    "The agent's id at the provider."
    provider: str | None
    "The voice platform."
    status: str | None
    "Its state."
    direction: str | None
    "Who called: inbound, outbound, or web."
    fromNumber: str | None
    "The caller's number."
    toNumber: str | None
    "The called number."
    durationSeconds: float | None
    "Its length in seconds; null while unknown."
    startedAt: str | None
    "When it began; null before."
    endedAt: str | None
    "When it ended; null while it runs."
    cost: Money | None
    "What the customer pays for it; null until it is rated."
    providerCostUnits: int | None
    "What the provider charged, in its own units."
    title: str | None
    "A title for people."
    summary: str | None
    "What was said, in a few sentences."
    successful: bool | None
    "Whether the call reached its goal, as the provider judged; null when it did not."
    terminationReason: str | None
    "Why the call ended, in the provider's words."
    language: str | None
    "BCP 47, such as en or pt-BR."
    turnCount: int
    "How many turns the transcript has."
    tags: list[str]
    "Words to find it by."
    version: int
    "Counts the changes; ETag and If-Match name it."
    createdAt: str | None
    "When it was made."
    updatedAt: str | None
    "When it last changed."
    recording: Recording | None
    "The recording; null without one."
    transcript: list[Turn]
    "What was said, turn by turn."


class CallChangedData(TypedDict):
    """What is not known is absent, an empty string or 0."""

    callId: str
    "The call that this belongs to."
    agentId: str
    "The agent."
    agentVersion: int
    "The published version that served the call."
    externalCallId: str
    "The call's id at the provider."
    provider: str
    "The voice platform."
    status: str
    "Its state."
    direction: str
    "Who called: inbound, outbound, or web."
    durationSeconds: float
    "Its length in seconds."
    startedAt: NotRequired[str]
    "When it began."
    endedAt: NotRequired[str]
    "When it ended."
    summary: str
    "What was said, in a few sentences."
    successful: NotRequired[bool]
    "Whether the call reached its goal, as the provider judged."
    version: str
    "Counts the changes; ETag and If-Match name it."
    billable: bool
    "Whether the call is rated and booked."


class CallChangedEvent(TypedDict):
    """A CloudEvent 1.0."""

    specversion: Literal["1.0"]
    "1.0."
    id: str
    "The event. Deliveries, streams and lists name it alike."
    type: Literal["call.started", "call.updated", "call.ended", "call.recording_ready"]
    "What happened."
    source: str
    "The service that says so."
    subject: str
    "Whom or what it is about."
    time: str
    "When it happened."
    orgid: str
    "The organization that owns it."
    partitionkey: str
    "Events of one key come in the order of their commits."
    datacontenttype: str
    "The media type of `data`."
    traceparent: NotRequired[str]
    "The trace that caused it (W3C Trace Context)."
    data: Any
    "What changed."


class CallCommand(TypedDict):
    id: str
    "The id; it never changes."
    callId: str
    "The call that this belongs to."
    type: str
    "What kind of thing it is."
    to: str | None
    "Where a transfer leads."
    context: str | None
    "What the agent shall know."
    reason: str | None
    "Why, for people."
    status: str
    "Its state."
    detail: str | None
    "What the party that runs the call says of the outcome, or that the call ended."
    createdAt: str | None
    "When it was made."
    expiresAt: str | None
    "Until when it can be acknowledged."
    settledAt: str | None
    "When it was acknowledged, failed or timed out; null while it waits."


class CallCommandBody(TypedDict):
    type: Literal["end_call", "inject_context", "transfer"]
    "What kind of thing it is."
    to: NotRequired[str | None]
    "Where transfer leads: a number or SIP address."
    context: NotRequired[str | None]
    "inject_context: what the agent shall know."
    reason: NotRequired[str | None]
    "Why, for people."
    timeoutSeconds: NotRequired[int | None]
    "To acknowledge it; null: 30."


class CallCommandChangedData(TypedDict):
    """What is not known is absent, an empty string or 0."""

    commandId: str
    "The command."
    callId: str
    "The call that this belongs to."
    agentId: str
    "The agent."
    type: str
    "What kind of thing it is."
    to: str
    "The number or address of a transfer; empty for other commands."
    context: str
    "The words that the agent gets; empty for other commands."
    reason: str
    "Why the credit is granted; it stands in the ledger."
    status: str
    "Its state."
    detail: str
    "A sentence that says what to do."
    expiresAt: NotRequired[str]
    "When it stops working."


class CallCommandChangedEvent(TypedDict):
    """A CloudEvent 1.0."""

    specversion: Literal["1.0"]
    "1.0."
    id: str
    "The event. Deliveries, streams and lists name it alike."
    type: Literal["call.command_requested", "call.command_settled"]
    "What happened."
    source: str
    "The service that says so."
    subject: str
    "Whom or what it is about."
    time: str
    "When it happened."
    orgid: str
    "The organization that owns it."
    partitionkey: str
    "Events of one key come in the order of their commits."
    datacontenttype: str
    "The media type of `data`."
    traceparent: NotRequired[str]
    "The trace that caused it (W3C Trace Context)."
    data: Any
    "What changed."


class CallPatch(TypedDict):
    tags: NotRequired[list[str] | None]
    "Words to find it by."


class CallRow(TypedDict):
    """A call in a list: without its transcript and recording."""

    id: str
    "The id; it never changes."
    agentId: str | None
    "The agent; null when none is known."
    agentVersion: int | None
    "The published version that served the call."
    externalCallId: str | None
    "The call's id at the provider."
    externalAgentId: str | None
    "The agent's id at the provider."
    provider: str | None
    "The voice platform."
    status: str | None
    "Its state."
    direction: str | None
    "Who called: inbound, outbound, or web."
    fromNumber: str | None
    "The caller's number."
    toNumber: str | None
    "The called number."
    durationSeconds: float | None
    "Its length in seconds; null while unknown."
    startedAt: str | None
    "When it began; null before."
    endedAt: str | None
    "When it ended; null while it runs."
    cost: Money | None
    "What the customer pays for it; null until it is rated."
    providerCostUnits: int | None
    "What the provider charged, in its own units."
    title: str | None
    "A title for people."
    summary: str | None
    "What was said, in a few sentences."
    successful: bool | None
    "Whether the call reached its goal, as the provider judged; null when it did not."
    terminationReason: str | None
    "Why the call ended, in the provider's words."
    language: str | None
    "BCP 47, such as en or pt-BR."
    turnCount: int
    "How many turns the transcript has."
    tags: list[str]
    "Words to find it by."
    version: int
    "Counts the changes; ETag and If-Match name it."
    createdAt: str | None
    "When it was made."
    updatedAt: str | None
    "When it last changed."


class CallTurnData(TypedDict):
    """What is not known is absent, an empty string or 0."""

    callId: str
    "The call that this belongs to."
    agentId: str
    "The agent."
    index: int
    "The place in the transcript, from 0."
    role: str
    "owner, admin, member or viewer."
    text: str
    "The words."
    timeSeconds: float
    "When it was said, in seconds from the beginning."
    toolCalls: NotRequired[list[dict[str, Any]]]
    "Tools that the agent called in this turn."


class CallTurnEvent(TypedDict):
    """A CloudEvent 1.0."""

    specversion: Literal["1.0"]
    "1.0."
    id: str
    "The event. Deliveries, streams and lists name it alike."
    type: Literal["call.turn"]
    "What happened."
    source: str
    "The service that says so."
    subject: str
    "Whom or what it is about."
    time: str
    "When it happened."
    orgid: str
    "The organization that owns it."
    partitionkey: str
    "Events of one key come in the order of their commits."
    datacontenttype: str
    "The media type of `data`."
    traceparent: NotRequired[str]
    "The trace that caused it (W3C Trace Context)."
    data: Any
    "What changed."


class ChildBody(TypedDict):
    name: str
    "The name of the customer."
    timeZone: NotRequired[str]
    "IANA name, such as Europe/Berlin. Default: \"UTC\"."


class ChildPatch(TypedDict):
    name: NotRequired[str]
    "The name of the customer."
    timeZone: NotRequired[str]
    "IANA name, such as Europe/Berlin."
    status: NotRequired[Literal["active", "suspended"]]
    "Suspended: no session and no API key of the customer works until it is active again."


class Chunk(TypedDict):
    id: str
    "The id; it never changes."
    entryId: str
    "The entry."
    position: int
    "The place in the entry, from 0."
    text: str
    "The words."
    heading: str | None
    "The heading above the passage."
    page: int | None
    "The page's number, from 1; null by cursor, and for text without pages."
    offsets: Any
    "Where the words stand in the document's text."
    tokenCount: int
    "The length in tokens of the embedding model."


class CloudEvent(TypedDict):
    """CloudEvents 1.0, structured. `type` names the meter unless `data.meter` does. `source` is kept as properties.source unless there is one. Extension attributes are ignored; ids are unique across sources."""

    specversion: Literal["1.0"]
    "1.0."
    id: str
    "The id; it never changes."
    source: str
    "Where it comes from."
    type: str
    "One that GET /api/billing/meters lists and does not reserve."
    time: str
    "When it happened."
    data: Any
    "The value, and what belongs to it."
    subject: NotRequired[str | None]
    "Whom or what it is about."
    datacontenttype: NotRequired[Literal["application/json"] | None]
    "The media type of `data`."


class CloudEventData(TypedDict):
    """The meter may stand here when the event's `type` is a name of the sender's own."""

    value: str | int | float
    "How much, in the meter's unit."
    meter: NotRequired[str | None]
    "One that GET /api/billing/meters lists and does not reserve."
    properties: NotRequired[dict[str, Any] | None]
    "Free values of the event; agentId and provider can be grouped by."


class CodeBody(TypedDict):
    code: str
    "Six digits of the authenticator, or a recovery code."


class CommandOutcomeBody(TypedDict):
    status: NotRequired[Literal["acknowledged", "failed"] | None]
    "Its state."
    detail: NotRequired[str | None]
    "What became of it."


class ConfirmEmailBody(TypedDict):
    token: str
    "What follows # in the mailed link."


class ConnectionToken(TypedDict):
    token: str
    "The token."
    expiresAt: str | None
    "When it stops working; null: never."
    url: str
    "The whole URL."
    eventsUrl: str
    "The whole URL of the server-sent events."
    channels: list[str]
    "The channels that this token may subscribe to."


class Connections(TypedDict):
    database: Literal["connected", "disconnected"]
    "PostgreSQL."
    redis: Literal["connected", "disconnected"]
    "Redis."
    queue: Literal["connected", "disconnected"]
    "NATS."


class CredentialsBody(TypedDict):
    """Fields that are left out keep their stored values."""

    apiKey: NotRequired[str | None]
    "The key of the account at the provider. It never comes back."
    webhookSecret: NotRequired[str | None]
    "The secret that the provider signs its reports with. It never comes back."
    baseUrl: NotRequired[str | None]
    "Another address of the provider's API. A change needs apiKey in the same request."


class CreditBody(TypedDict):
    amount: str
    "A decimal string in units of the currency."
    reason: str
    "Why the credit is granted; it stands in the ledger."
    currency: NotRequired[str]
    "Default: \"USD\"."


class CreditChangedData(TypedDict):
    """What is not known is absent, an empty string or 0."""

    availableMicros: str
    "What can be spent in millionths of the currency, as a decimal string."
    postedMicros: str
    "What was paid in less what was used, in millionths of the currency, as a decimal string."
    currency: str
    "ISO 4217."
    ledgerEntryId: str
    "The entry of the ledger."


class CreditChangedEvent(TypedDict):
    """A CloudEvent 1.0."""

    specversion: Literal["1.0"]
    "1.0."
    id: str
    "The event. Deliveries, streams and lists name it alike."
    type: Literal["credit.low", "credit.depleted", "credit.topped_up"]
    "What happened."
    source: str
    "The service that says so."
    subject: str
    "Whom or what it is about."
    time: str
    "When it happened."
    orgid: str
    "The organization that owns it."
    partitionkey: str
    "Events of one key come in the order of their commits."
    datacontenttype: str
    "The media type of `data`."
    traceparent: NotRequired[str]
    "The trace that caused it (W3C Trace Context)."
    data: Any
    "What changed."


class CreditGrant(TypedDict):
    id: str
    "The id; it never changes."
    ledgerEntryId: str
    "The entry of the ledger."
    amount: str
    "A decimal string in units of the currency."
    currency: str
    "ISO 4217."
    balance: Any
    "The balance after this."
    createdAt: str | None
    "When it was made."


class CurrentUser(TypedDict):
    id: str
    "The id; it never changes."
    email: str
    "The address, as it was typed at registration."
    organizationId: str
    "The organization that owns it."
    role: Literal["admin", "member", "owner", "viewer"] | None
    "owner, admin, member or viewer."
    firstName: str | None
    "The given name."
    lastName: str | None
    "The family name."
    createdAt: str | None
    "When it was made."
    updatedAt: str | None
    "When it last changed."
    agentAccess: Literal["all", "granted"] | None
    "`granted`: as a member or viewer you reach the agents that you were granted."
    agentGrants: list[ReachedAgent] | None
    "The agents that this credential reaches, by their ids; null where it reaches all."
    organization: Any
    "The organization."
    scopes: list[str]
    "What the credential of this request may do; `*` is everything."


class DeadEvent(TypedDict):
    id: str
    "The id; it never changes."
    service: str
    "The service."
    consumer: str
    "The consumer that gave the event up."
    eventId: str
    "The event."
    topic: str
    "The type of the event."
    subject: str | None
    "Whom or what it is about."
    tries: int
    "How often it was tried."
    error: Any
    "What went wrong; null when nothing did."
    replaying: bool
    "Whether it is being handled again."
    diedAt: str | None
    "When it was given up."


class DeadEventReplayBody(TypedDict):
    """Ids, or a filter of which all given must match; at most 1,000 at once for each service, the oldest first."""

    ids: NotRequired[list[str] | None]
    "Exactly these."
    service: NotRequired[Literal["agent", "billing", "calllog", "identity", "knowledge", "realtime"] | None]
    "The service."
    consumer: NotRequired[str | None]
    "The consumer that gave the event up."
    topic: NotRequired[str | None]
    "Such as call.ended."
    errorCode: NotRequired[str | None]
    "The code of the last error."
    diedAtGe: NotRequired[str | None]
    "Given up at or after."
    diedAtLt: NotRequired[str | None]
    "Given up before."


class Dependent(TypedDict):
    """An agent that speaks from a knowledge entry."""

    agentId: str
    "The agent; null when none is known."
    name: str
    "A name for people."
    status: Literal["active", "archived", "draft"] | None
    "Its state."
    inDraft: bool
    "Whether the draft names the entry."
    publishedVersion: int | None
    "The version that serves calls; null before the first."


class Difference(TypedDict):
    kind: str
    "What it is: the name of a job's kind, or of a difference."
    callId: str | None
    "The call that this belongs to."
    usageEventId: str | None
    "The usage event."
    ledgerEntryId: str | None
    "The entry of the ledger."
    detail: str
    "A sentence that says what to do."


class DocumentChangedData(TypedDict):
    """What is not known is absent, an empty string or 0."""

    documentId: str
    "The document that the entry was made from."
    entryId: str
    "The entry."
    jobId: str
    "The job that does it; read it at /api/jobs/{id}."
    status: str
    "Its state."
    chunks: int
    "How many passages there are."
    errorCode: str
    "The code of the last error."
    title: str
    "A title for people."


class DocumentChangedEvent(TypedDict):
    """A CloudEvent 1.0."""

    specversion: Literal["1.0"]
    "1.0."
    id: str
    "The event. Deliveries, streams and lists name it alike."
    type: Literal["document.uploaded", "document.processed", "document.failed"]
    "What happened."
    source: str
    "The service that says so."
    subject: str
    "Whom or what it is about."
    time: str
    "When it happened."
    orgid: str
    "The organization that owns it."
    partitionkey: str
    "Events of one key come in the order of their commits."
    datacontenttype: str
    "The media type of `data`."
    traceparent: NotRequired[str]
    "The trace that caused it (W3C Trace Context)."
    data: Any
    "What changed."


class DocumentStatus(TypedDict):
    documentId: str
    "The document that the entry was made from."
    entryId: str
    "The entry."
    status: Literal["completed", "failed", "processing"] | None
    "Its state."
    progress: int
    "Percent, 0 to 100."
    totalPages: int | None
    "Pages of the document; null for text without pages and before they are counted."
    processedPages: int
    "Pages that were read so far."
    chunks: int
    "How many passages there are."
    error: Failure | None
    "What went wrong; null when nothing did."
    jobId: str | None
    "The job that does it; read it at /api/jobs/{id}."
    fileName: str
    "The name that the document was uploaded under."
    mediaType: str | None
    "The media type."
    byteSize: int
    "The size in bytes."
    createdAt: str | None
    "When it was made."
    updatedAt: str | None
    "When it last changed."


class DuplicateBody(TypedDict):
    name: NotRequired[str | None]
    "A name for people."


class EmailBody(TypedDict):
    email: str
    "The new address."
    password: str
    "The current password."


class Entry(TypedDict):
    id: str
    "The id; it never changes."
    title: str
    "A title for people."
    category: str | None
    "A word to group entries by."
    tags: list[str]
    "Words to find it by."
    status: Literal["completed", "failed", "processing"] | None
    "Its state."
    documentId: str | None
    "The document that the entry was made from."
    source: str | None
    "Where it comes from."
    chunkCount: int
    "Into how many passages the text was cut."
    pageCount: int | None
    "Pages of the document; null for text without pages."
    byteSize: int
    "The size in bytes."
    mediaType: str | None
    "The media type."
    language: str | None
    "BCP 47, such as en or pt-BR."
    languageSource: Literal["detected", "given"] | None
    "Whether the language was named or recognized."
    error: Failure | None
    "What went wrong; null when nothing did."
    indexVersion: int
    "Counts how often the entry was indexed."
    version: int
    "Counts the changes; ETag and If-Match name it."
    createdAt: str | None
    "When it was made."
    updatedAt: str | None
    "When it last changed."
    content: str | None
    "The text of the entry."


class EntryBody(TypedDict):
    title: str
    "A title for people."
    content: str
    "The text of the entry."
    category: NotRequired[str | None]
    "A word to group entries by."
    tags: NotRequired[list[str] | None]
    "Words to find it by."
    language: NotRequired[str | None]
    "BCP 47, such as en or pt-BR."


class EntryChangedData(TypedDict):
    """What is not known is absent, an empty string or 0."""

    entryId: str
    "The entry."
    title: str
    "A title for people."
    status: str
    "Its state."
    version: str
    "Counts the changes; ETag and If-Match name it."


class EntryChangedEvent(TypedDict):
    """A CloudEvent 1.0."""

    specversion: Literal["1.0"]
    "1.0."
    id: str
    "The event. Deliveries, streams and lists name it alike."
    type: Literal["entry.created", "entry.updated", "entry.deleted"]
    "What happened."
    source: str
    "The service that says so."
    subject: str
    "Whom or what it is about."
    time: str
    "When it happened."
    orgid: str
    "The organization that owns it."
    partitionkey: str
    "Events of one key come in the order of their commits."
    datacontenttype: str
    "The media type of `data`."
    traceparent: NotRequired[str]
    "The trace that caused it (W3C Trace Context)."
    data: Any
    "What changed."


class EntryPatch(TypedDict):
    title: NotRequired[str]
    "A title for people."
    content: NotRequired[str]
    "The text of the entry."
    category: NotRequired[str | None]
    "A word to group entries by."
    tags: NotRequired[list[str] | None]
    "Words to find it by."
    language: NotRequired[str | None]
    "BCP 47, such as en or pt-BR."


class EntryRow(TypedDict):
    id: str
    "The id; it never changes."
    title: str
    "A title for people."
    category: str | None
    "A word to group entries by."
    tags: list[str]
    "Words to find it by."
    status: Literal["completed", "failed", "processing"] | None
    "Its state."
    documentId: str | None
    "The document that the entry was made from."
    source: str | None
    "Where it comes from."
    chunkCount: int
    "Into how many passages the text was cut."
    pageCount: int | None
    "Pages of the document; null for text without pages."
    byteSize: int
    "The size in bytes."
    mediaType: str | None
    "The media type."
    language: str | None
    "BCP 47, such as en or pt-BR."
    languageSource: Literal["detected", "given"] | None
    "Whether the language was named or recognized."
    error: Failure | None
    "What went wrong; null when nothing did."
    indexVersion: int
    "Counts how often the entry was indexed."
    version: int
    "Counts the changes; ETag and If-Match name it."
    createdAt: str | None
    "When it was made."
    updatedAt: str | None
    "When it last changed."


class EventReplay(TypedDict):
    """A replay that has begun, or the one of the same range that runs already."""

    jobId: str
    "The job that does it; read it at /api/jobs/{id}."
    events: int
    "How many events the range has."


class EventReplayBody(TypedDict):
    after: str
    "Events at or after this time."
    before: NotRequired[str | None]
    "Events before this time; null: until now."
    types: NotRequired[list[Literal["*", "org.*", "user.*", "white_label_host.*", "api_key.*", "session.*", "agent.*", "integration.*", "document.*", "entry.*", "call.*", "usage.*", "credit.*", "webhook_endpoint.*", "webhook.*", "org.created", "org.updated", "user.created", "user.updated", "user.removed", "white_label_host.missing", "white_label_host.lost", "api_key.created", "api_key.rotated", "api_key.revoked", "session.revoked", "agent.created", "agent.updated", "agent.published", "agent.deleted", "integration.updated", "integration.synced", "integration.failed", "document.uploaded", "document.processed", "document.failed", "entry.created", "entry.updated", "entry.deleted", "call.started", "call.updated", "call.ended", "call.recording_ready", "usage.recorded", "credit.low", "credit.depleted", "credit.topped_up", "webhook_endpoint.failing", "webhook_endpoint.disabled", "webhook.test", "call.turn", "call.command_requested", "call.command_settled"]] | None]
    "Of these types alone; null: of the types that the receiver gets."
    onlyUndelivered: NotRequired[bool | None]
    "Leave out events that the receiver has taken. null: false."


class Failure(TypedDict):
    code: str
    "A stable word to branch on."
    message: str
    "A sentence for people."


class Figures(TypedDict):
    """What operators look at first."""

    gateways: list[str]
    "The gateways whose requests are counted."
    points: list[Point]
    "At most an hour, oldest first."
    caches: list[CacheRow]
    "The cached classes that were read."
    services: list[ServiceFigures]
    "One replica of each service, as it answered last."
    queues: list[Queue]
    "The queues of all organizations together."


class FiltersBody(TypedDict):
    category: NotRequired[str | None]
    "A word to group entries by."
    tags: NotRequired[list[str] | None]
    "Words to find it by."
    entryIds: NotRequired[list[str] | None]
    "Only these entries."


class ForgotBody(TypedDict):
    email: str
    "The address of the account."


class FreshApiKey(TypedDict):
    """The only answer that carries the secret."""

    id: str
    "The id; it never changes."
    name: str
    "A name for people."
    prefix: str
    "The beginning of the key, to recognize it by."
    scopes: list[str]
    "What may be done, as area:read or area:write; * is everything."
    createdBy: str | None
    "The user who made it."
    createdAt: str | None
    "When it was made."
    expiresAt: str | None
    "When it stops working; null: never."
    lastUsedAt: str | None
    "When it was last used, to the minute; null: never."
    revokedAt: str | None
    "When it was revoked; null while it works."
    allowedAddresses: list[str]
    "Networks (CIDR) or addresses from which the key may be used; none: from anywhere."
    version: int
    "Counts the changes; ETag and If-Match name it."
    secret: str
    "Shown this once."


class FreshWebhookEndpoint(TypedDict):
    """The only answers that carry the secret."""

    id: str
    "The id; it never changes."
    url: str
    "The whole URL."
    eventTypes: list[str]
    "One type, all of one entity (call.*), or all (*). call.turn comes only by its own name."
    description: str | None
    "Free text for people."
    contentType: str
    "The media type of deliveries."
    status: str
    "Its state."
    disabledReason: str | None
    "Why it gets no deliveries; null while it gets them."
    version: int
    "Counts the changes; ETag and If-Match name it."
    lastSuccessAt: str | None
    "When a delivery last succeeded."
    lastFailureAt: str | None
    "When a delivery last failed."
    failingSince: str | None
    "The first failure since the last success; null when the last one succeeded."
    exhaustedDeliveries: int
    "Deliveries that ran out of attempts since the last success."
    createdAt: str | None
    "When it was made."
    updatedAt: str | None
    "When it last changed."
    secret: str
    "Shown this once."


class Health(TypedDict):
    status: Literal["healthy", "unhealthy"]
    "Its state."
    uptime: int
    "Seconds since the start."
    connections: Any
    "Whether each store answers."
    pool: Any
    "Connections to the database."


class Highlight(TypedDict):
    """Half-open offsets, in Unicode code points, into the hit's text."""

    start: int
    "The offset of the first character."
    end: int
    "The offset behind the last character."


class Host(TypedDict):
    """A host whose pages show the organization once its TXT record was found."""

    id: str
    "The id; it never changes."
    host: str
    "The name of the host, as DNS has it."
    recordName: str
    "The name of the TXT record that proves the host."
    recordValue: str
    "The value of that record."
    verifiedAt: str | None
    "When the record was found; null before."
    checkedAt: str | None
    "When the record was looked at last; daily, once proved."
    missingSince: str | None
    "Since when the record is gone; after seven days the host is lost."
    createdAt: str | None
    "When it was made."


class HostBody(TypedDict):
    host: str
    "The name of a host, such as app.example.com."


class Integration(TypedDict):
    id: str
    "The id; it never changes."
    provider: str
    "The voice platform."
    status: str
    "Its state."
    apiKeyLast4: str | None
    "The last four characters of the key."
    apiKeyFingerprint: str | None
    "Tells two keys apart without showing them."
    webhookSecretSet: bool
    "Whether a secret was entered."
    webhookUrl: str | None
    "The address to enter at the provider."
    lastSyncAt: str | None
    "When the provider was last read."
    lastSyncError: str | None
    "Why the last reading failed; null if it did not."
    version: int
    "Counts the changes; ETag and If-Match name it."
    createdAt: str | None
    "When it was made."
    updatedAt: str | None
    "When it last changed."


class IntegrationBody(TypedDict):
    credentials: Any
    "What the provider gave you to enter here."


class IntegrationChangedData(TypedDict):
    """What is not known is absent, an empty string or 0."""

    integrationId: str
    "The connection to a provider."
    provider: str
    "The voice platform."
    status: str
    "Its state."
    version: str
    "Counts the changes; ETag and If-Match name it."


class IntegrationChangedEvent(TypedDict):
    """A CloudEvent 1.0."""

    specversion: Literal["1.0"]
    "1.0."
    id: str
    "The event. Deliveries, streams and lists name it alike."
    type: Literal["integration.updated", "integration.synced", "integration.failed"]
    "What happened."
    source: str
    "The service that says so."
    subject: str
    "Whom or what it is about."
    time: str
    "When it happened."
    orgid: str
    "The organization that owns it."
    partitionkey: str
    "Events of one key come in the order of their commits."
    datacontenttype: str
    "The media type of `data`."
    traceparent: NotRequired[str]
    "The trace that caused it (W3C Trace Context)."
    data: Any
    "What changed."


class Invitation(TypedDict):
    id: str
    "The id; it never changes."
    email: str
    "The address that is invited."
    role: Literal["admin", "member", "owner", "viewer"] | None
    "owner, admin, member or viewer."
    status: Literal["accepted", "expired", "pending", "revoked"] | None
    "Its state."
    invitedBy: str
    "The user who invited."
    createdAt: str | None
    "When it was made."
    expiresAt: str | None
    "Until when the link works."
    acceptedAt: str | None
    "When it was accepted; null before."
    revokedAt: str | None
    "When it was revoked; null while it works."


class InvitationBody(TypedDict):
    email: str
    "The address that is invited."
    role: Literal["admin", "member", "owner", "viewer"]
    "Only roles that your own includes can be given."


class InvitationPreview(TypedDict):
    """What the holder of a link sees before accepting."""

    organizationName: str
    "The organization that invites."
    email: str
    "The address that is invited."
    role: Literal["admin", "member", "owner", "viewer"] | None
    "owner, admin, member or viewer."
    hasAccount: bool
    "The address has an account, so accepting needs no password."
    expiresAt: str | None
    "Until when the link works."


class Job(TypedDict):
    id: str
    "The id; it never changes."
    service: str
    "The service."
    kind: str
    "What it is: the name of a job's kind, or of a difference."
    queue: str
    "The queue."
    lane: str | None
    "high, normal or low: which of a queue's jobs run first."
    state: str | None
    "scheduled, queued, running, completed, failed or cancelled."
    progress: int
    "Percent, 0 to 100."
    attempt: int
    "Which attempt it is, from 1."
    maxAttempts: int
    "After so many attempts it is a dead letter."
    error: JobError | None
    "What went wrong; null when nothing did."
    result: dict[str, Any] | None
    "What the job made; null before its end."
    cancelRequested: bool
    "Someone asked to cancel it; it ends at its next safe point."
    stalls: int
    "How often its worker went away."
    createdAt: str | None
    "When it was made."
    runAt: str | None
    "When it may start."
    startedAt: str | None
    "When it began; null before."
    finishedAt: str | None
    "When it ended; null before."
    attempts: list[Attempt]
    "The attempts so far."


class JobError(TypedDict):
    code: str
    "A stable word to branch on."
    message: str
    "A sentence for people."


class JobRow(TypedDict):
    id: str
    "The id; it never changes."
    service: str
    "The service."
    kind: str
    "What it is: the name of a job's kind, or of a difference."
    queue: str
    "The queue."
    lane: str | None
    "high, normal or low: which of a queue's jobs run first."
    state: str | None
    "scheduled, queued, running, completed, failed or cancelled."
    progress: int
    "Percent, 0 to 100."
    attempt: int
    "Which attempt it is, from 1."
    maxAttempts: int
    "After so many attempts it is a dead letter."
    error: JobError | None
    "What went wrong; null when nothing did."
    result: dict[str, Any] | None
    "What the job made; null before its end."
    cancelRequested: bool
    "Someone asked to cancel it; it ends at its next safe point."
    stalls: int
    "How often its worker went away."
    createdAt: str | None
    "When it was made."
    runAt: str | None
    "When it may start."
    startedAt: str | None
    "When it began; null before."
    finishedAt: str | None
    "When it ended; null before."


class LanguageModel(TypedDict):
    model: str | None
    "The model's name."
    temperature: float | None
    "0 is the most predictable, 2 the least."
    maxTokens: int | None
    "The longest answer in tokens."


class LanguageModelBody(TypedDict):
    model: NotRequired[str | None]
    "The model's name."
    temperature: NotRequired[float | None]
    "0 is the most predictable, 2 the least."
    maxTokens: NotRequired[int | None]
    "The longest answer in tokens."


class LanguageModelPatch(TypedDict):
    model: NotRequired[str | None]
    "The model's name."
    temperature: NotRequired[float | None]
    "0 is the most predictable, 2 the least."
    maxTokens: NotRequired[int | None]
    "The longest answer in tokens."


class LedgerEntry(TypedDict):
    """Append only; usage is negative."""

    id: str
    "The id; it never changes."
    type: str
    "What kind of thing it is."
    amount: str
    "A decimal string in units of the currency."
    currency: str
    "ISO 4217."
    callId: str | None
    "The call that this belongs to."
    usageEventId: str | None
    "The usage event."
    balanceAfter: str
    "The posted balance after this entry."
    description: str | None
    "Free text for people."
    transactionId: str | None
    "Joins the entries of one booking."
    createdAt: str | None
    "When it was made."


class LiveCall(TypedDict):
    """The call, and until when it counts as live without a further sign."""

    id: str
    "The id; it never changes."
    agentId: str | None
    "The agent; null when none is known."
    agentVersion: int | None
    "The published version that served the call."
    externalCallId: str | None
    "The call's id at the provider."
    externalAgentId: str | None
    "The agent's id at the provider."
    provider: str | None
    "The voice platform."
    status: str | None
    "Its state."
    direction: str | None
    "Who called: inbound, outbound, or web."
    fromNumber: str | None
    "The caller's number."
    toNumber: str | None
    "The called number."
    durationSeconds: float | None
    "Its length in seconds; null while unknown."
    startedAt: str | None
    "When it began; null before."
    endedAt: str | None
    "When it ended; null while it runs."
    cost: Money | None
    "What the customer pays for it; null until it is rated."
    providerCostUnits: int | None
    "What the provider charged, in its own units."
    title: str | None
    "A title for people."
    summary: str | None
    "What was said, in a few sentences."
    successful: bool | None
    "Whether the call reached its goal, as the provider judged; null when it did not."
    terminationReason: str | None
    "Why the call ended, in the provider's words."
    language: str | None
    "BCP 47, such as en or pt-BR."
    turnCount: int
    "How many turns the transcript has."
    tags: list[str]
    "Words to find it by."
    version: int
    "Counts the changes; ETag and If-Match name it."
    createdAt: str | None
    "When it was made."
    updatedAt: str | None
    "When it last changed."
    lostAt: str | None
    "Without a turn or another sign until then the call counts as lost."


class LiveCallBody(TypedDict):
    externalCallId: str
    "The id that your system, or the provider, gives it."
    provider: NotRequired[Literal["bland", "custom", "elevenlabs", "retell", "vapi"] | None]
    "null: custom, a call that your own system runs."
    agentId: NotRequired[str | None]
    "The agent; null when none is known."
    externalAgentId: NotRequired[str | None]
    "The agent's id at the provider."
    direction: NotRequired[Literal["inbound", "outbound", "web"] | None]
    "Who called: inbound, outbound, or web."
    fromNumber: NotRequired[str | None]
    "The caller's number."
    toNumber: NotRequired[str | None]
    "The called number."
    language: NotRequired[str | None]
    "BCP 47, such as en or pt-BR."
    startedAt: NotRequired[str | None]
    "Of the last 24 hours; null: now."


class LiveCallEndBody(TypedDict):
    status: NotRequired[Literal["busy", "completed", "failed", "no_answer", "voicemail"] | None]
    "Its state."
    endedAt: NotRequired[str | None]
    "null: now."
    terminationReason: NotRequired[str | None]
    "Why the call ended, in the provider's words."
    summary: NotRequired[str | None]
    "What was said, in a few sentences."
    successful: NotRequired[bool | None]
    "Whether the call reached its goal, as the provider judged; null when it did not."


class LiveTurnBody(TypedDict):
    index: int
    "The place in the transcript, from 0."
    role: Literal["agent", "user"]
    "owner, admin, member or viewer."
    text: str
    "The words."
    timeSeconds: NotRequired[float | None]
    "Into the call; null: when it arrives."
    toolCalls: NotRequired[list[dict[str, Any]] | None]
    "Tools that the agent called in this turn; null when it called none."


class LiveTurns(TypedDict):
    """`accepted` and `duplicates` are numbers of turns."""

    accepted: int
    "How many of the events are new."
    duplicates: int
    "How many of the events had been recorded before."
    nextIndex: int
    "The index of the call's next turn."
    lostAt: str | None
    "Without a turn or another sign until then the call counts as lost."


class LiveTurnsBody(TypedDict):
    turns: list[LiveTurnBody]
    "One after another; none: the call still runs."


class LoggedIn(TypedDict):
    """A session; or with status 202 a challenge alone, for accounts with a second factor."""

    token: str | None
    "The token."
    expiresAt: str | None
    "When it stops working; null: never."
    user: User | None
    "The user."
    challenge: str | None
    "Send it with a code to /api/login/second-factor; null where none is needed."


class LoginBody(TypedDict):
    email: str
    "The address, as it was typed at registration."
    password: str
    "The password. It is kept as a hash alone."


class LoginMethods(TypedDict):
    password: bool
    "Whether passwords sign in."
    openid: bool
    "Whether the installation has an OpenID provider."
    openidIssuer: str | None
    "The host of the OpenID provider."


class Mail(TypedDict):
    id: str
    "The id; it never changes."
    to: list[str]
    "The addresses."
    subject: str
    "The subject line."
    text: str
    "The words."
    createdAt: str | None
    "When it was made."


class Member(TypedDict):
    id: str
    "The id; it never changes."
    email: str
    "The address, as it was typed at registration."
    organizationId: str
    "The organization that owns it."
    role: Literal["admin", "member", "owner", "viewer"] | None
    "owner, admin, member or viewer."
    firstName: str | None
    "The given name."
    lastName: str | None
    "The family name."
    createdAt: str | None
    "When it was made."
    updatedAt: str | None
    "When it last changed."
    lastLoginAt: str | None
    "When the user last signed in; null before the first time."
    agentAccess: Literal["all", "granted"] | None
    "Which agents a member or viewer reaches: all, or those granted. Owners and admins reach all."
    version: int
    "Counts the changes; ETag and If-Match name it."


class Membership(TypedDict):
    organization: Any
    "The organization."
    user: Any
    "The user."
    current: bool
    "Whether it is the organization of this session."


class Memberships(TypedDict):
    data: list[Membership]
    "The rows of this page."


class Meter(TypedDict):
    """What usage is counted in. Usage events of a reserved meter are made by the suite alone."""

    name: str
    "A name for people."
    unit: str
    "What one of it is."
    description: str
    "Free text for people."
    reserved: bool
    "Whether the suite alone records this meter."


class Money(TypedDict):
    """An amount as a decimal string, never a float."""

    amount: str
    "A decimal string in units of the currency."
    currency: str
    "ISO 4217."


class NewEntry(TypedDict):
    """The answer to a creation: the entry, and the job that indexes it."""

    id: str
    "The id; it never changes."
    title: str
    "A title for people."
    category: str | None
    "A word to group entries by."
    tags: list[str]
    "Words to find it by."
    status: Literal["completed", "failed", "processing"] | None
    "Its state."
    documentId: str | None
    "The document that the entry was made from."
    source: str | None
    "Where it comes from."
    chunkCount: int
    "Into how many passages the text was cut."
    pageCount: int | None
    "Pages of the document; null for text without pages."
    byteSize: int
    "The size in bytes."
    mediaType: str | None
    "The media type."
    language: str | None
    "BCP 47, such as en or pt-BR."
    languageSource: Literal["detected", "given"] | None
    "Whether the language was named or recognized."
    error: Failure | None
    "What went wrong; null when nothing did."
    indexVersion: int
    "Counts how often the entry was indexed."
    version: int
    "Counts the changes; ETag and If-Match name it."
    createdAt: str | None
    "When it was made."
    updatedAt: str | None
    "When it last changed."
    content: str | None
    "The text of the entry."
    jobId: str | None
    "The job that does it; read it at /api/jobs/{id}."


class NewSource(TypedDict):
    """The answer to a creation: the source, and the job that reads it."""

    id: str
    "The id; it never changes."
    kind: Literal["sitemap", "url"]
    "What it is: the name of a job's kind, or of a difference."
    url: str
    "The whole URL."
    title: str | None
    "A title for people."
    category: str | None
    "A word to group entries by."
    tags: list[str]
    "Words to find it by."
    refreshIntervalSeconds: int | None
    "Seconds between refreshes; null where only a request refreshes."
    status: Literal["current", "failed", "pending"] | None
    "Its state."
    error: Failure | None
    "What went wrong; null when nothing did."
    pageCount: int
    "Pages of the document; null for text without pages."
    staleSince: str | None
    "The first failed refresh since the last good one; null while the entries are what the address says."
    checkedAt: str | None
    "When the address was last read in full or found unchanged; null before the first time."
    changedAt: str | None
    "When a refresh last found other content; null before the first."
    nextRefreshAt: str | None
    "When it is refreshed next; null where only a request refreshes it."
    version: int
    "Counts the changes; ETag and If-Match name it."
    createdAt: str | None
    "When it was made."
    updatedAt: str | None
    "When it last changed."
    jobId: str | None
    "The job that does it; read it at /api/jobs/{id}."


class Notifications(TypedDict):
    """The mails go to owners of an organization; for others the choice waits."""

    creditLow: bool
    "Whether to mail when the organization's credit runs low."
    webhookEndpoints: bool
    "Whether to mail when a webhook endpoint fails or was disabled."


class NotificationsPatch(TypedDict):
    creditLow: NotRequired[bool]
    "Whether to mail when the organization's credit runs low."
    webhookEndpoints: NotRequired[bool]
    "Whether to mail when a webhook endpoint fails or was disabled."


class Offsets(TypedDict):
    """Half-open, in Unicode code points of the document's text: its blocks, each followed by two line breaks."""

    start: int
    "The offset of the first character."
    end: int
    "The offset behind the last character."


class OpenIdBody(TypedDict):
    code: str
    "As the provider's redirect has it."
    state: str
    "As the provider's redirect has it."


class OpenIdLink(TypedDict):
    id: str
    "The id; it never changes."
    issuer: str
    "The OpenID provider."
    subject: str
    "The provider's own id of you."
    enabled: bool
    "Whether it signs in as your account."
    createdAt: str | None
    "When it was made."


class OpenIdLinkBody(TypedDict):
    enabled: bool
    "false: the provider signs in as your account no more."
    password: str
    "Of your account, which stays the way in."


class OpenIdLinks(TypedDict):
    data: list[OpenIdLink]
    "The rows of this page."


class OpenIdStart(TypedDict):
    authorizationUrl: str
    "Where the browser signs in. It comes back to /openid."


class Organization(TypedDict):
    id: str
    "The id; it never changes."
    name: str
    "A name for people."
    timeZone: str | None
    "IANA name, such as Europe/Berlin."
    parentId: str | None
    "The agency whose customer it is; null for one of its own."
    status: Literal["active", "archived", "suspended"] | None
    "Its sessions and API keys work only while it is active."
    version: int
    "Counts the changes; ETag and If-Match name it."
    createdAt: str | None
    "When it was made."
    updatedAt: str | None
    "When it last changed."


class OrganizationAnalytics(TypedDict):
    totalCalls: int
    "Calls in the window."
    totalMinutes: float
    "The length of the window's calls in minutes."
    estimatedCost: Money | None
    "What the calls of the window cost; null when none is rated."
    activeAgents: int
    "Agents that had a call in the window."
    lastSync: str | None
    "When the figures were last brought up to date."
    successfulCalls: int
    "Calls that the provider judged successful."
    failedCalls: int
    "Calls that the provider judged unsuccessful."
    averageDurationSeconds: float | None
    "The mean duration of the calls whose duration is known."


class OrganizationChangedData(TypedDict):
    """What is not known is absent, an empty string or 0."""

    organizationId: str
    "The organization that owns it."
    name: str
    "A name for people."
    version: str
    "Counts the changes; ETag and If-Match name it."
    parentId: str
    "The agency whose customer the organization is; empty for one of its own."
    accessChanged: bool
    "Whether access has changed, so that connections opened before end."


class OrganizationChangedEvent(TypedDict):
    """A CloudEvent 1.0."""

    specversion: Literal["1.0"]
    "1.0."
    id: str
    "The event. Deliveries, streams and lists name it alike."
    type: Literal["org.created", "org.updated"]
    "What happened."
    source: str
    "The service that says so."
    subject: str
    "Whom or what it is about."
    time: str
    "When it happened."
    orgid: str
    "The organization that owns it."
    partitionkey: str
    "Events of one key come in the order of their commits."
    datacontenttype: str
    "The media type of `data`."
    traceparent: NotRequired[str]
    "The trace that caused it (W3C Trace Context)."
    data: Any
    "What changed."


class OrganizationPatch(TypedDict):
    name: NotRequired[str]
    "A name for people."
    timeZone: NotRequired[str]
    "IANA name, such as Europe/Berlin."


class PasswordBody(TypedDict):
    currentPassword: str
    "The current password."
    newPassword: str
    "The new password."


class Point(TypedDict):
    """Ten seconds. Response times and errors are those of the minute before, of all gateways together."""

    time: str
    "When it happened."
    requestsPerSecond: float
    "Requests a second."
    p50Ms: float
    "Half of the requests took at most so many milliseconds."
    p95Ms: float
    "95 % of the requests took at most so many milliseconds."
    p99Ms: float
    "99 % of the requests took at most so many milliseconds."
    errors4xxPerSecond: float
    "Refusals (4xx) a second."
    errors5xxPerSecond: float
    "Failures (5xx) a second."
    poolActive: int
    "Database connections in use, of one replica of each service."
    poolTotal: int
    "Database connections that these replicas may open."
    cacheHitRatio: dict[str, float]
    "The share of reads since the last point that the cache answered, by class."
    cacheHeartbeatSeconds: dict[str, float]
    "The age of the last evidence that invalidations arrive, by class."
    jobRunP95Seconds: float
    "Processing time of jobs, of the slowest queue."
    jobsWaiting: int
    "Jobs that are due, of all queues."
    outboxLagSeconds: dict[str, float]
    "The age of the oldest event that was not published yet, by service."
    sockets: float
    "Open client connections of one realtime replica."
    memoryMib: dict[str, float]
    "Memory of one replica, by service."
    cpuCores: dict[str, float]
    "Cores in use by one replica, by service."


class Pool(TypedDict):
    """One replica of each service: the sum of the configured maxima, and how many are idle and in use now."""

    total: int
    "The most there can be."
    idle: int
    "How many are free now."
    active: int
    "How many are in use or running now."


class PresentClient(TypedDict):
    """A connection that listens to a channel."""

    channel: str
    "What it listens to."
    clientId: str
    "The connection."
    userId: str | None
    "The user."


class PreviewBody(TypedDict):
    token: str
    "What follows # in the mailed link."


class Probe(TypedDict):
    status: Literal["live", "ready", "unready"]
    "Its state."


class Problem(TypedDict):
    """RFC 9457."""

    type: str
    "A URN made of the code."
    title: str
    "The status in words."
    status: int
    "The HTTP status."
    detail: str
    "A sentence that says what to do."
    instance: str
    "The path of the request."
    code: str
    "A stable word to branch on."
    requestId: str
    "Names the request in the logs: report it."
    errors: list[Violation]
    "Each part of the request that has to change."


class PublicWhiteLabel(TypedDict):
    """How pages of a host look. A host that is no organization's looks as the suite does."""

    productName: str
    "What pages and mails call the product."
    logoUrl: str | None
    "The logo; null for none. Its bytes never change."
    primaryColor: str
    "The color of buttons and links."
    primaryTextColor: str
    "The color of text on it."
    backgroundColor: str
    "The color of pages."
    textColor: str
    "The color of their text."
    supportEmail: str | None
    "Where users ask for help."
    supportUrl: str | None
    "A page with help."


class PublishBody(TypedDict):
    description: NotRequired[str | None]
    "Free text for people."
    requireTests: NotRequired[bool]
    "Default: false."


class Queue(TypedDict):
    service: str
    "The service."
    name: str
    "A name for people."
    paused: bool
    "Whether new jobs wait."
    waiting: int
    "How many wait."
    active: int
    "How many are in use or running now."
    delayed: int
    "How many wait for their time."
    failed: int
    "How many ended badly."
    completed: int
    "How many ended well."
    oldestAgeSeconds: float
    "How long the oldest waiting job has waited."
    waitP95Seconds: float
    "The 95th percentile of how long jobs waited."
    runP95Seconds: float
    "The 95th percentile of how long jobs ran."
    finishedPerSecond: float
    "Jobs that ended a second, over the last minutes."


class Quota(TypedDict):
    name: str
    "A name for people."
    limit: int
    "The most rows of this page."
    used: int
    "Counted up to the limit; of a quota by the day, since midnight UTC."


class Quotas(TypedDict):
    data: list[Quota]
    "The rows of this page."
    requestLimits: list[RequestLimit]
    "The rate limits of the organization's plan."


class ReachedAgent(TypedDict):
    agentId: str
    "The agent; null when none is known."
    access: Literal["read", "write"]
    "`write` also changes the agent and its calls."


class Received(TypedDict):
    received: bool
    "Always true."
    duplicate: bool
    "Whether it had been received before; nothing happened then."


Reconciliation = TypedDict("Reconciliation", {"from": "str | None", "to": "str | None", "calls": "int", "usageEvents": "int", "ledgerEntries": "int", "differences": "list[Difference]"})


class Recording(TypedDict):
    id: str
    "The id; it never changes."
    status: str
    "Its state."
    mediaType: str | None
    "The media type."
    byteSize: int | None
    "The size in bytes."
    url: str | None
    "The whole URL."
    transcriptionStatus: str | None
    "done, failed, not_needed or not_installed; null before the first attempt."
    transcriptionUrl: str | None
    "The path of the transcription; null unless the status is done."


class RecoveryCodes(TypedDict):
    """Shown once."""

    recoveryCodes: list[str]
    "Each replaces the authenticator once."


class RegisterBody(TypedDict):
    email: str
    "The address, as it was typed at registration."
    password: str
    "The password. It is kept as a hash alone."
    organizationName: str
    "The name of the organization that registers."
    firstName: NotRequired[str]
    "The given name."
    lastName: NotRequired[str]
    "The family name."


class Registered(TypedDict):
    """Without user and organization the account waits for the link that was mailed, or the address was taken before."""

    user: User | None
    "The user."
    organization: Organization | None
    "The organization."


class ReplayBody(TypedDict):
    """Ids, or a filter of which all given must match; at most 1,000 at once for each service."""

    ids: NotRequired[list[str] | None]
    "Exactly these."
    service: NotRequired[Literal["agent", "billing", "calllog", "identity", "knowledge", "realtime"] | None]
    "The service."
    queue: NotRequired[str | None]
    "The queue."
    kind: NotRequired[str | None]
    "What it is: the name of a job's kind, or of a difference."
    errorCode: NotRequired[str | None]
    "The code of the last error."


class Replayed(TypedDict):
    replayed: int
    "How many will be handled again."


class RequestLimit(TypedDict):
    name: str
    "The class of requests: read, write or upload."
    windowSeconds: int
    "Of any span of so many seconds."
    caller: int
    "Requests of one API key, or one user."
    organization: int
    "Requests of all callers of the organization together."


class RequestLimits(TypedDict):
    organizationId: str
    "The organization that owns it."
    percent: int
    "Of the usual limits of every class; 100 is usual."
    reason: str | None
    "Why the limits are not the usual ones."


class RequestLimitsBody(TypedDict):
    percent: int
    "Of the usual limits of every class; 100 is usual."
    reason: NotRequired[str]
    "Why the limits are not the usual ones. Required unless percent is 100."


class ResendBody(TypedDict):
    email: str
    "The address, as it was typed at registration."


class ResetBody(TypedDict):
    token: str
    "What follows # in the mailed link."
    password: str
    "The new password."


class Role(TypedDict):
    name: Literal["admin", "member", "owner", "viewer"]
    "The role."
    scopes: list[str]
    "What may be done, as area:read or area:write; * is everything."
    grantable: bool
    "Whether you may give and take it."


class Roles(TypedDict):
    data: list[Role]
    "The rows of this page."


class RotateBody(TypedDict):
    overlapSeconds: NotRequired[int]
    "How long the old secret still works; 0 ends it at once. Default: 86400."


class Rotated(TypedDict):
    token: str
    "The token."
    expiresAt: str | None
    "When it stops working; null: never."


class Schedule(TypedDict):
    name: str
    "A name for people."
    kind: str
    "What it is: the name of a job's kind, or of a difference."
    cron: str
    "When it fires, as a cron expression in its time zone."
    timeZone: str
    "IANA name, such as Europe/Berlin."
    catchUp: str
    "What happens to firings that were missed."
    nextFireAt: str | None
    "When it fires next."
    lastFireAt: str | None
    "When it last fired; null: never."


class Scores(TypedDict):
    """Null: this ranking did not find the chunk."""

    keyword: float | None
    "The score of the words."
    vector: float | None
    "The score of the meaning."


class SearchAnswer(TypedDict):
    results: list[SearchHit]
    "The hits, the best first."
    queryId: str
    "Names this search in a report."
    tookMs: int
    "How long the search took in milliseconds."
    mode: Literal["hybrid", "keyword", "vector"] | None
    "hybrid, keyword or vector."
    fallbackReason: str | None
    "Why another mode was used than was asked for; null if it was not."


class SearchBody(TypedDict):
    query: str
    "What is looked for, in words."
    mode: NotRequired[Literal["hybrid", "keyword", "vector"] | None]
    "hybrid, keyword or vector."
    maxResults: NotRequired[int | None]
    "The most hits, 10 when left out."
    filters: NotRequired[FiltersBody | None]
    "Search only what fits."


class SearchHit(TypedDict):
    entryId: str
    "The entry."
    chunkId: str
    "The passage."
    documentId: str | None
    "The document that the entry was made from."
    title: str
    "A title for people."
    heading: str | None
    "The heading above the passage."
    text: str
    "The words."
    score: float
    "How well it fits; comparable within one answer."
    scores: Any
    "The parts of the score."
    highlights: list[Highlight]
    "Where the words of the query stand in the text."
    page: int | None
    "The page's number, from 1; null by cursor, and for text without pages."
    offsets: Any
    "Where the words stand in the document's text."
    source: str | None
    "Where it comes from."
    version: int
    "Counts the changes; ETag and If-Match name it."
    tokenCount: int
    "The length in tokens of the embedding model."


class SecondFactor(TypedDict):
    enabled: bool
    "Whether each login needs a code."
    enabledAt: str | None
    "Since when; null while it is off."
    recoveryCodesLeft: int
    "Recovery codes that were not used."


class SecondFactorBody(TypedDict):
    challenge: str
    "As the login answered it."
    code: str
    "Six digits of the authenticator, or a recovery code."


class SecondFactorSecret(TypedDict):
    """For an authenticator; it counts once a code of it was confirmed."""

    secret: str
    "Base32, as authenticators take it."
    otpauthUrl: str
    "The same for a QR code."


class ServiceFigures(TypedDict):
    service: str
    "The service."
    status: Literal["healthy", "unhealthy", "unreachable"]
    "Its state."
    instance: str | None
    "The path of the request."
    release: str | None
    "The release that runs."
    uptime: int | None
    "Seconds since the start."
    connections: Connections | None
    "Whether each store answers."
    pool: Pool | None
    "Connections to the database."
    memoryMib: float | None
    "Memory of the replica that answered."
    outboxLagSeconds: float | None
    "The age of the oldest event that was not published yet."
    deadEvents: int | None
    "Events that the service gave up and did not handle since."


class Session(TypedDict):
    id: str
    "The id; it never changes."
    userId: str
    "The user."
    ipAddress: str | None
    "Where the session was opened from."
    userAgent: str | None
    "The client that opened it."
    device: str | None
    "Browser and system, or the program, as its user agent names them."
    network: str | None
    "The network of the address."
    current: bool
    "Whether it is the session of this request."
    createdAt: str | None
    "When it was made."
    lastSeenAt: str | None
    "When it was last used."
    expiresAt: str | None
    "When it stops working; null: never."


class SessionRevokedData(TypedDict):
    """What is not known is absent, an empty string or 0."""

    sessionId: str
    "The session."
    userId: str
    "The user."


class SessionRevokedEvent(TypedDict):
    """A CloudEvent 1.0."""

    specversion: Literal["1.0"]
    "1.0."
    id: str
    "The event. Deliveries, streams and lists name it alike."
    type: Literal["session.revoked"]
    "What happened."
    source: str
    "The service that says so."
    subject: str
    "Whom or what it is about."
    time: str
    "When it happened."
    orgid: str
    "The organization that owns it."
    partitionkey: str
    "Events of one key come in the order of their commits."
    datacontenttype: str
    "The media type of `data`."
    traceparent: NotRequired[str]
    "The trace that caused it (W3C Trace Context)."
    data: Any
    "What changed."


class Source(TypedDict):
    id: str
    "The id; it never changes."
    kind: Literal["sitemap", "url"]
    "What it is: the name of a job's kind, or of a difference."
    url: str
    "The whole URL."
    title: str | None
    "A title for people."
    category: str | None
    "A word to group entries by."
    tags: list[str]
    "Words to find it by."
    refreshIntervalSeconds: int | None
    "Seconds between refreshes; null where only a request refreshes."
    status: Literal["current", "failed", "pending"] | None
    "Its state."
    error: Failure | None
    "What went wrong; null when nothing did."
    pageCount: int
    "Pages of the document; null for text without pages."
    staleSince: str | None
    "The first failed refresh since the last good one; null while the entries are what the address says."
    checkedAt: str | None
    "When the address was last read in full or found unchanged; null before the first time."
    changedAt: str | None
    "When a refresh last found other content; null before the first."
    nextRefreshAt: str | None
    "When it is refreshed next; null where only a request refreshes it."
    version: int
    "Counts the changes; ETag and If-Match name it."
    createdAt: str | None
    "When it was made."
    updatedAt: str | None
    "When it last changed."


class SourceBody(TypedDict):
    title: NotRequired[str | None]
    "A title for people."
    category: NotRequired[str | None]
    "A word to group entries by."
    tags: NotRequired[list[str] | None]
    "Words to find it by."
    refreshIntervalSeconds: NotRequired[int | None]
    "Seconds between refreshes; null: by request alone."
    url: str
    "The whole URL."
    kind: NotRequired[Literal["sitemap", "url"] | None]
    "What it is: the name of a job's kind, or of a difference."


class SourcePatch(TypedDict):
    title: NotRequired[str | None]
    "A title for people."
    category: NotRequired[str | None]
    "A word to group entries by."
    tags: NotRequired[list[str] | None]
    "Words to find it by."
    refreshIntervalSeconds: NotRequired[int | None]
    "Seconds between refreshes; null: by request alone."


class SourceRefresh(TypedDict):
    jobId: str
    "The job that does it; read it at /api/jobs/{id}."


class Stats(TypedDict):
    entries: int
    "How many entries there are."
    documents: int
    "How many documents there are."
    chunks: int
    "How many passages there are."
    bytes: int
    "The stored text and documents in bytes."
    processing: int
    "How many are being read."
    failed: int
    "How many ended badly."
    embeddingModel: str | None
    "The model that makes vectors; null without one."


class SwitchBody(TypedDict):
    organizationId: str
    "An organization of your account."


class SyncStarted(TypedDict):
    jobId: str
    "The job that does it; read it at /api/jobs/{id}."
    status: str
    "Its state."


class TestDelivery(TypedDict):
    deliveryId: str
    "The delivery."
    jobId: str
    "The job that does it; read it at /api/jobs/{id}."


class Timeseries(TypedDict):
    interval: str
    "hour or day."
    data: list[Bucket]
    "The rows of this page."


class TopUp(TypedDict):
    """The balance is the one that the top-up led to, once it is settled."""

    id: str
    "The id; it never changes."
    amount: str
    "A decimal string in units of the currency."
    currency: str
    "ISO 4217."
    status: Literal["expired", "failed", "pending", "reversed", "settled"]
    "Its state."
    paymentUrl: str | None
    "Where the customer pays; null once the top-up is not pending."
    reversedAmount: str
    "Taken back by refunds and disputes."
    balance: Any
    "The balance after this."
    createdAt: str | None
    "When it was made."


class TopUpBody(TypedDict):
    amount: str
    "A decimal string in units of the currency."
    currency: NotRequired[str]
    "Default: \"USD\"."


class Transcription(TypedDict):
    """The suite's own transcription of a recording whose provider sent no transcript."""

    status: str | None
    "Its state."
    text: str | None
    "The words."
    model: str | None
    "The model's name."
    language: str | None
    "BCP 47, such as en or pt-BR."
    durationSeconds: float | None
    "Its length in seconds; null while unknown."
    segments: list[TranscriptionSegment]
    "The words with their times."


class TranscriptionSegment(TypedDict):
    startSeconds: float
    "Where it begins, in seconds from the beginning."
    endSeconds: float
    "Where it ends, in seconds from the beginning."
    text: str
    "The words."


class Turn(TypedDict):
    index: int
    "The place in the transcript, from 0."
    role: str | None
    "user or agent."
    text: str
    "The words."
    timeSeconds: float
    "When it was said, in seconds from the beginning."
    toolCalls: list[dict[str, Any]] | None
    "Tools that the agent called in this turn; null when it called none."


class Upload(TypedDict):
    documentId: str
    "The document that the entry was made from."
    entryId: str
    "The entry."
    jobId: str
    "The job that does it; read it at /api/jobs/{id}."
    status: Literal["processing"]
    "Its state."


class UsageBody(TypedDict):
    """One event, or up to a hundred under `events`."""

    events: NotRequired[list[UsageEventBody] | None]
    "How many usage events it is made of."
    id: NotRequired[str | None]
    "The id; it never changes."
    meter: NotRequired[str | None]
    "One that GET /api/billing/meters lists and does not reserve."
    timestamp: NotRequired[str | None]
    "When it happened."
    value: NotRequired[str | int | float | None]
    "How much, in the meter's unit."
    subject: NotRequired[str | None]
    "Whom or what it is about."
    properties: NotRequired[dict[str, Any] | None]
    "Free values of the event; agentId and provider can be grouped by."


class UsageEvent(TypedDict):
    id: str
    "The id; it never changes."
    meter: str
    "What is counted."
    timestamp: str | None
    "When it happened."
    value: str
    "How much, in the meter's unit."
    subject: str | None
    "Whom or what it is about."
    properties: dict[str, Any]
    "Free values of the event; agentId and provider can be grouped by."
    createdAt: str | None
    "When it was made."


class UsageEventBody(TypedDict):
    id: str
    "The id; it never changes."
    meter: str
    "One that GET /api/billing/meters lists and does not reserve."
    timestamp: str
    "When it happened."
    value: str | int | float
    "How much, in the meter's unit."
    subject: NotRequired[str | None]
    "Whom or what it is about."
    properties: NotRequired[dict[str, Any] | None]
    "Free values of the event; agentId and provider can be grouped by."


class UsageRecorded(TypedDict):
    accepted: int
    "How many of the events are new."
    duplicates: int
    "How many of the events had been recorded before."


class UsageRecordedData(TypedDict):
    """What is not known is absent, an empty string or 0."""

    usageEventId: str
    "The usage event."
    meter: str
    "What is counted."
    quantity: str
    "The sum in the meter's unit, as a decimal string."
    amountMicros: str
    "What it costs in millionths of the currency, as a decimal string."
    currency: str
    "ISO 4217."
    callId: str
    "The call that this belongs to."
    ledgerEntryId: str
    "The entry of the ledger."


class UsageRecordedEvent(TypedDict):
    """A CloudEvent 1.0."""

    specversion: Literal["1.0"]
    "1.0."
    id: str
    "The event. Deliveries, streams and lists name it alike."
    type: Literal["usage.recorded"]
    "What happened."
    source: str
    "The service that says so."
    subject: str
    "Whom or what it is about."
    time: str
    "When it happened."
    orgid: str
    "The organization that owns it."
    partitionkey: str
    "Events of one key come in the order of their commits."
    datacontenttype: str
    "The media type of `data`."
    traceparent: NotRequired[str]
    "The trace that caused it (W3C Trace Context)."
    data: Any
    "What changed."


class UsageRow(TypedDict):
    meter: str
    "What is counted."
    quantity: str
    "The sum in the meter's unit, as a decimal string."
    amount: str
    "A decimal string in units of the currency."
    currency: str
    "ISO 4217."
    events: int
    "How many usage events it is made of."
    agentId: str | None
    "The agent; null when none is known."
    provider: str | None
    "The voice platform."
    day: str | None
    "The day in UTC; null when not grouped by it."


class User(TypedDict):
    id: str
    "The id; it never changes."
    email: str
    "The address, as it was typed at registration."
    organizationId: str
    "The organization that owns it."
    role: Literal["admin", "member", "owner", "viewer"] | None
    "owner, admin, member or viewer."
    firstName: str | None
    "The given name."
    lastName: str | None
    "The family name."
    createdAt: str | None
    "When it was made."
    updatedAt: str | None
    "When it last changed."


class UserChangedData(TypedDict):
    """What is not known is absent, an empty string or 0."""

    userId: str
    "The user."
    email: str
    "The address, as it was typed at registration."
    role: str
    "owner, admin, member or viewer."
    accessChanged: bool
    "Whether access has changed, so that connections opened before end."


class UserChangedEvent(TypedDict):
    """A CloudEvent 1.0."""

    specversion: Literal["1.0"]
    "1.0."
    id: str
    "The event. Deliveries, streams and lists name it alike."
    type: Literal["user.created", "user.updated", "user.removed"]
    "What happened."
    source: str
    "The service that says so."
    subject: str
    "Whom or what it is about."
    time: str
    "When it happened."
    orgid: str
    "The organization that owns it."
    partitionkey: str
    "Events of one key come in the order of their commits."
    datacontenttype: str
    "The media type of `data`."
    traceparent: NotRequired[str]
    "The trace that caused it (W3C Trace Context)."
    data: Any
    "What changed."


class UserPatch(TypedDict):
    role: NotRequired[Literal["admin", "member", "owner", "viewer"]]
    "Only roles that your own includes can be given or taken."
    firstName: NotRequired[str | None]
    "The given name."
    lastName: NotRequired[str | None]
    "The family name."


class Verified(TypedDict):
    user: Any
    "The user."
    organization: Any
    "The organization."


class VerifyBody(TypedDict):
    token: str
    "What follows # in the mailed link."


class Violation(TypedDict):
    """One field to fix in a request."""

    pointer: str
    "A JSON pointer to the part, as a fragment."
    code: str
    "A stable word to branch on."
    detail: str
    "A sentence that says what to do."


class WebhookAttempt(TypedDict):
    """One exchange with the receiver."""

    number: int
    "Which attempt it is, from 1."
    startedAt: str | None
    "When it began; null before."
    durationMs: int
    "Milliseconds from the beginning to the response, or to the failure."
    statusCode: int | None
    "The status of the response; null without one."
    error: str | None
    "What went wrong; null when nothing did."
    requestHeaders: dict[str, str]
    "The header fields that were sent; the signature is masked."
    responseHeaders: dict[str, str]
    "The first 40 header fields of the response; values that authenticate are masked."
    responseBody: str
    "The first KiB of the response's body, as text."


class WebhookDelivery(TypedDict):
    id: str
    "The id; it never changes."
    endpointId: str
    "The receiver."
    eventId: str
    "The event."
    eventType: str
    "The type of the event."
    status: str
    "Its state."
    attempts: int
    "The attempts so far."
    lastStatusCode: int | None
    "What the receiver answered last."
    lastError: str | None
    "Why the last attempt failed."
    jobId: str | None
    "The job that does it; read it at /api/jobs/{id}."
    createdAt: str | None
    "When it was made."
    nextAttemptAt: str | None
    "When it is tried again; null when it is not."
    deliveredAt: str | None
    "When the receiver took it."


class WebhookDeliveryLog(TypedDict):
    """A delivery with what was sent and what came back."""

    id: str
    "The id; it never changes."
    endpointId: str
    "The receiver."
    eventId: str
    "The event."
    eventType: str
    "The type of the event."
    status: str
    "Its state."
    attempts: int
    "The attempts so far."
    lastStatusCode: int | None
    "What the receiver answered last."
    lastError: str | None
    "Why the last attempt failed."
    jobId: str | None
    "The job that does it; read it at /api/jobs/{id}."
    createdAt: str | None
    "When it was made."
    nextAttemptAt: str | None
    "When it is tried again; null when it is not."
    deliveredAt: str | None
    "When the receiver took it."
    requestBody: str
    "The body that was sent, as text."
    log: list[WebhookAttempt]
    "The recorded attempts, the oldest first."


class WebhookEndpoint(TypedDict):
    id: str
    "The id; it never changes."
    url: str
    "The whole URL."
    eventTypes: list[str]
    "One type, all of one entity (call.*), or all (*). call.turn comes only by its own name."
    description: str | None
    "Free text for people."
    contentType: str
    "The media type of deliveries."
    status: str
    "Its state."
    disabledReason: str | None
    "Why it gets no deliveries; null while it gets them."
    version: int
    "Counts the changes; ETag and If-Match name it."
    lastSuccessAt: str | None
    "When a delivery last succeeded."
    lastFailureAt: str | None
    "When a delivery last failed."
    failingSince: str | None
    "The first failure since the last success; null when the last one succeeded."
    exhaustedDeliveries: int
    "Deliveries that ran out of attempts since the last success."
    createdAt: str | None
    "When it was made."
    updatedAt: str | None
    "When it last changed."


class WebhookEndpointBody(TypedDict):
    url: str
    "The whole URL."
    eventTypes: list[Literal["*", "org.*", "user.*", "white_label_host.*", "api_key.*", "session.*", "agent.*", "integration.*", "document.*", "entry.*", "call.*", "usage.*", "credit.*", "webhook_endpoint.*", "webhook.*", "org.created", "org.updated", "user.created", "user.updated", "user.removed", "white_label_host.missing", "white_label_host.lost", "api_key.created", "api_key.rotated", "api_key.revoked", "session.revoked", "agent.created", "agent.updated", "agent.published", "agent.deleted", "integration.updated", "integration.synced", "integration.failed", "document.uploaded", "document.processed", "document.failed", "entry.created", "entry.updated", "entry.deleted", "call.started", "call.updated", "call.ended", "call.recording_ready", "usage.recorded", "credit.low", "credit.depleted", "credit.topped_up", "webhook_endpoint.failing", "webhook_endpoint.disabled", "webhook.test", "call.turn", "call.command_requested", "call.command_settled"]]
    "One type, all of one entity (call.*), or all (*). call.turn comes only by its own name."
    description: NotRequired[str | None]
    "Free text for people."
    contentType: NotRequired[Literal["application/cloudevents+json", "application/json"] | None]
    "Of the deliveries; null: application/json."


class WebhookEndpointChangedData(TypedDict):
    """What is not known is absent, an empty string or 0."""

    webhookEndpointId: str
    "The webhook endpoint."
    url: str
    "The whole URL."
    reason: str
    "gone or failing; empty for a test."
    failingSince: NotRequired[str]
    "The first failure since the last success."
    disabledAfter: NotRequired[str]
    "When it is disabled if it takes no delivery until then."


class WebhookEndpointChangedEvent(TypedDict):
    """A CloudEvent 1.0."""

    specversion: Literal["1.0"]
    "1.0."
    id: str
    "The event. Deliveries, streams and lists name it alike."
    type: Literal["webhook_endpoint.failing", "webhook_endpoint.disabled", "webhook.test"]
    "What happened."
    source: str
    "The service that says so."
    subject: str
    "Whom or what it is about."
    time: str
    "When it happened."
    orgid: str
    "The organization that owns it."
    partitionkey: str
    "Events of one key come in the order of their commits."
    datacontenttype: str
    "The media type of `data`."
    traceparent: NotRequired[str]
    "The trace that caused it (W3C Trace Context)."
    data: Any
    "What changed."


class WebhookEndpointPatch(TypedDict):
    url: NotRequired[str]
    "The whole URL."
    eventTypes: NotRequired[list[Literal["*", "org.*", "user.*", "white_label_host.*", "api_key.*", "session.*", "agent.*", "integration.*", "document.*", "entry.*", "call.*", "usage.*", "credit.*", "webhook_endpoint.*", "webhook.*", "org.created", "org.updated", "user.created", "user.updated", "user.removed", "white_label_host.missing", "white_label_host.lost", "api_key.created", "api_key.rotated", "api_key.revoked", "session.revoked", "agent.created", "agent.updated", "agent.published", "agent.deleted", "integration.updated", "integration.synced", "integration.failed", "document.uploaded", "document.processed", "document.failed", "entry.created", "entry.updated", "entry.deleted", "call.started", "call.updated", "call.ended", "call.recording_ready", "usage.recorded", "credit.low", "credit.depleted", "credit.topped_up", "webhook_endpoint.failing", "webhook_endpoint.disabled", "webhook.test", "call.turn", "call.command_requested", "call.command_settled"]]]
    "One type, all of one entity (call.*), or all (*). call.turn comes only by its own name."
    description: NotRequired[str | None]
    "Free text for people."
    contentType: NotRequired[Literal["application/cloudevents+json", "application/json"] | None]
    "Of the deliveries; null: application/json."
    status: NotRequired[Literal["disabled", "enabled"]]
    "Its state."


class WhiteLabel(TypedDict):
    productName: str
    "What pages and mails call the product."
    logoUrl: str | None
    "The logo; null for none. Its bytes never change."
    primaryColor: str
    "The color of buttons and links."
    primaryTextColor: str
    "The color of text on it."
    backgroundColor: str
    "The color of pages."
    textColor: str
    "The color of their text."
    supportEmail: str | None
    "Where users ask for help."
    supportUrl: str | None
    "A page with help."
    version: int
    "Counts the changes; ETag and If-Match name it."
    updatedAt: str | None
    "When it last changed."


class WhiteLabelHostChangedData(TypedDict):
    """What is not known is absent, an empty string or 0."""

    whiteLabelHostId: str
    "The host."
    host: str
    "The name of the host, as DNS has it."
    missingSince: NotRequired[str]
    "Since when the record that proves the host is gone."
    lostAfter: NotRequired[str]
    "When the host shows the organization no more, if the record does not come back."


class WhiteLabelHostChangedEvent(TypedDict):
    """A CloudEvent 1.0."""

    specversion: Literal["1.0"]
    "1.0."
    id: str
    "The event. Deliveries, streams and lists name it alike."
    type: Literal["white_label_host.missing", "white_label_host.lost"]
    "What happened."
    source: str
    "The service that says so."
    subject: str
    "Whom or what it is about."
    time: str
    "When it happened."
    orgid: str
    "The organization that owns it."
    partitionkey: str
    "Events of one key come in the order of their commits."
    datacontenttype: str
    "The media type of `data`."
    traceparent: NotRequired[str]
    "The trace that caused it (W3C Trace Context)."
    data: Any
    "What changed."


class WhiteLabelPatch(TypedDict):
    productName: NotRequired[str]
    "What pages and mails call the product."
    primaryColor: NotRequired[str]
    "The color of buttons and links."
    primaryTextColor: NotRequired[str]
    "The color of text on it; the contrast is at least 4.5:1."
    backgroundColor: NotRequired[str]
    "The color of pages."
    textColor: NotRequired[str]
    "The color of their text; the contrast is at least 4.5:1."
    supportEmail: NotRequired[str]
    "Where users ask for help; empty for nowhere."
    supportUrl: NotRequired[str]
    "A page with help, by https; empty for none."
    logo: NotRequired[str]
    "A PNG, JPEG or WebP image of at most 256 KiB and 2,048 pixels, in base64; empty for none."
