"""The JSON of the API as types. Written by `make python-client` from gateway/openapi.json."""

# ruff: noqa
from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class Agent(TypedDict):
    id: str
    status: Literal["active", "archived", "draft"] | None
    publishedVersion: int | None
    hasUnpublishedChanges: bool
    organizationId: str
    version: int
    createdAt: str | None
    updatedAt: str | None
    systemPrompt: str | None
    firstMessage: str | None
    language: str | None
    voiceId: str | None
    llm: LanguageModel
    dynamicVariables: dict[str, Any]
    maxDurationSeconds: int | None
    name: str
    description: str | None
    tags: list[str]
    provider: str | None
    externalAgentId: str | None


class AgentBody(TypedDict):
    systemPrompt: NotRequired[str | None]
    firstMessage: NotRequired[str | None]
    language: NotRequired[str | None]
    voiceId: NotRequired[str | None]
    llm: NotRequired[LanguageModelBody | None]
    dynamicVariables: NotRequired[dict[str, str | int | float | bool | None] | None]
    maxDurationSeconds: NotRequired[int | None]
    name: str
    description: NotRequired[str | None]
    tags: NotRequired[list[str] | None]
    provider: NotRequired[Literal["bland", "elevenlabs", "retell", "vapi"] | None]
    externalAgentId: NotRequired[str | None]


class AgentConfiguration(TypedDict):
    """What a version froze."""

    systemPrompt: str | None
    firstMessage: str | None
    language: str | None
    voiceId: str | None
    llm: LanguageModel
    dynamicVariables: dict[str, Any]
    maxDurationSeconds: int | None


class AgentPatch(TypedDict):
    """RFC 7396: what is present is set, null clears; variables are merged by name."""

    systemPrompt: NotRequired[str | None]
    firstMessage: NotRequired[str | None]
    language: NotRequired[str | None]
    voiceId: NotRequired[str | None]
    llm: NotRequired[LanguageModelPatch | None]
    dynamicVariables: NotRequired[dict[str, str | int | float | bool | None] | None]
    maxDurationSeconds: NotRequired[int | None]
    name: NotRequired[str]
    description: NotRequired[str | None]
    tags: NotRequired[list[str] | None]
    provider: NotRequired[Literal["bland", "elevenlabs", "retell", "vapi"] | None]
    externalAgentId: NotRequired[str | None]


class AgentRow(TypedDict):
    """An agent in a list: without its prompt and variables."""

    id: str
    status: Literal["active", "archived", "draft"] | None
    publishedVersion: int | None
    hasUnpublishedChanges: bool
    organizationId: str
    version: int
    createdAt: str | None
    updatedAt: str | None
    firstMessage: str | None
    language: str | None
    voiceId: str | None
    llm: LanguageModel
    maxDurationSeconds: int | None
    name: str
    description: str | None
    tags: list[str]
    provider: str | None
    externalAgentId: str | None


class AgentVersion(TypedDict):
    id: str
    agentId: str
    version: int
    description: str | None
    createdBy: str | None
    createdAt: str | None
    configuration: AgentConfiguration | None


class ApiKey(TypedDict):
    id: str
    name: str
    prefix: str
    scopes: list[str]
    createdBy: str | None
    createdAt: str | None
    expiresAt: str | None
    lastUsedAt: str | None
    revokedAt: str | None
    version: int


class ApiKeyBody(TypedDict):
    name: str
    scopes: list[Literal["*", "members:read", "members:write", "agents:read", "agents:write", "knowledge:read", "knowledge:write", "calls:read", "calls:write", "billing:read", "billing:write", "realtime:read", "realtime:write", "webhooks:read", "webhooks:write", "integrations:read", "integrations:write"]]
    expiresAt: NotRequired[str | None]


class Attempt(TypedDict):
    attempt: int
    worker: str | None
    outcome: str | None
    error: JobError | None
    startedAt: str | None
    endedAt: str | None


class Balance(TypedDict):
    """available = posted - reserved."""

    available: str
    reserved: str
    posted: str
    currency: str


class Bucket(TypedDict):
    startAt: str | None
    calls: int
    minutes: float
    successfulCalls: int
    failedCalls: int
    cost: Money | None


class Call(TypedDict):
    id: str
    agentId: str | None
    agentVersion: int | None
    externalCallId: str | None
    externalAgentId: str | None
    provider: str | None
    status: str | None
    direction: str | None
    fromNumber: str | None
    toNumber: str | None
    durationSeconds: float | None
    startedAt: str | None
    endedAt: str | None
    cost: Money | None
    providerCostUnits: int | None
    title: str | None
    summary: str | None
    successful: bool | None
    terminationReason: str | None
    language: str | None
    turnCount: int
    tags: list[str]
    version: int
    createdAt: str | None
    updatedAt: str | None
    recording: Recording | None
    transcript: list[Turn]


class CallPatch(TypedDict):
    tags: NotRequired[list[str] | None]


class CallRow(TypedDict):
    """A call in a list: without its transcript and recording."""

    id: str
    agentId: str | None
    agentVersion: int | None
    externalCallId: str | None
    externalAgentId: str | None
    provider: str | None
    status: str | None
    direction: str | None
    fromNumber: str | None
    toNumber: str | None
    durationSeconds: float | None
    startedAt: str | None
    endedAt: str | None
    cost: Money | None
    providerCostUnits: int | None
    title: str | None
    summary: str | None
    successful: bool | None
    terminationReason: str | None
    language: str | None
    turnCount: int
    tags: list[str]
    version: int
    createdAt: str | None
    updatedAt: str | None


class Chunk(TypedDict):
    id: str
    entryId: str
    position: int
    text: str
    heading: str | None
    page: int | None
    tokenCount: int


class CloudEvent(TypedDict):
    """CloudEvents 1.0, structured. `type` names the meter unless `data.meter` does. `source` is kept as properties.source unless there is one. Extension attributes are ignored; ids are unique across sources."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    "One that GET /api/billing/meters lists and does not reserve."
    time: str
    data: CloudEventData
    subject: NotRequired[str | None]
    datacontenttype: NotRequired[Literal["application/json"] | None]


class CloudEventData(TypedDict):
    """The meter may stand here when the event's `type` is a name of the sender's own."""

    value: str | int | float
    meter: NotRequired[str | None]
    properties: NotRequired[dict[str, Any] | None]


class ConnectionToken(TypedDict):
    token: str
    expiresAt: str | None
    url: str
    eventsUrl: str
    channels: list[str]


class Connections(TypedDict):
    database: Literal["connected", "disconnected"]
    redis: Literal["connected", "disconnected"]
    queue: Literal["connected", "disconnected"]


class CredentialsBody(TypedDict):
    """Fields that are left out keep their stored values."""

    apiKey: NotRequired[str | None]
    webhookSecret: NotRequired[str | None]
    baseUrl: NotRequired[str | None]


class CreditBody(TypedDict):
    amount: str
    reason: str
    currency: NotRequired[str]
    "Default: \"USD\"."


class CreditGrant(TypedDict):
    id: str
    ledgerEntryId: str
    amount: str
    currency: str
    balance: Balance
    createdAt: str | None


class CurrentUser(TypedDict):
    id: str
    email: str
    organizationId: str
    role: Literal["admin", "member", "owner", "viewer"] | None
    firstName: str | None
    lastName: str | None
    createdAt: str | None
    updatedAt: str | None
    organization: Organization


class DeadEvent(TypedDict):
    id: str
    service: str
    consumer: str
    eventId: str
    topic: str
    subject: str | None
    tries: int
    error: JobError
    replaying: bool
    diedAt: str | None


class DeadEventReplayBody(TypedDict):
    """Ids, or a filter of which all given must match; at most 1,000 at once for each service, the oldest first."""

    ids: NotRequired[list[str] | None]
    service: NotRequired[Literal["agent", "billing", "calllog", "identity", "knowledge", "realtime"] | None]
    consumer: NotRequired[str | None]
    topic: NotRequired[str | None]
    errorCode: NotRequired[str | None]
    diedAtGe: NotRequired[str | None]
    diedAtLt: NotRequired[str | None]


class Difference(TypedDict):
    kind: str
    callId: str | None
    usageEventId: str | None
    ledgerEntryId: str | None
    detail: str


class DocumentStatus(TypedDict):
    documentId: str
    entryId: str
    status: Literal["completed", "failed", "processing"] | None
    progress: int
    totalPages: int | None
    processedPages: int
    chunks: int
    error: Failure | None
    jobId: str | None
    fileName: str
    mediaType: str | None
    byteSize: int
    createdAt: str | None
    updatedAt: str | None


class DuplicateBody(TypedDict):
    name: NotRequired[str | None]


class Entry(TypedDict):
    id: str
    title: str
    category: str | None
    tags: list[str]
    status: Literal["completed", "failed", "processing"] | None
    documentId: str | None
    source: str | None
    chunkCount: int
    pageCount: int | None
    byteSize: int
    mediaType: str | None
    language: str | None
    languageSource: Literal["detected", "given"] | None
    error: Failure | None
    indexVersion: int
    version: int
    createdAt: str | None
    updatedAt: str | None
    content: str | None


class EntryBody(TypedDict):
    title: str
    content: str
    category: NotRequired[str | None]
    tags: NotRequired[list[str] | None]
    language: NotRequired[str | None]


class EntryPatch(TypedDict):
    title: NotRequired[str]
    content: NotRequired[str]
    category: NotRequired[str | None]
    tags: NotRequired[list[str] | None]
    language: NotRequired[str | None]


class EntryRow(TypedDict):
    id: str
    title: str
    category: str | None
    tags: list[str]
    status: Literal["completed", "failed", "processing"] | None
    documentId: str | None
    source: str | None
    chunkCount: int
    pageCount: int | None
    byteSize: int
    mediaType: str | None
    language: str | None
    languageSource: Literal["detected", "given"] | None
    error: Failure | None
    indexVersion: int
    version: int
    createdAt: str | None
    updatedAt: str | None


class Failure(TypedDict):
    code: str
    message: str


class FiltersBody(TypedDict):
    category: NotRequired[str | None]
    tags: NotRequired[list[str] | None]
    entryIds: NotRequired[list[str] | None]


class FreshApiKey(TypedDict):
    """The only answer that carries the secret."""

    id: str
    name: str
    prefix: str
    scopes: list[str]
    createdBy: str | None
    createdAt: str | None
    expiresAt: str | None
    lastUsedAt: str | None
    revokedAt: str | None
    version: int
    secret: str


class FreshWebhookEndpoint(TypedDict):
    """The only answers that carry the secret."""

    id: str
    url: str
    eventTypes: list[str]
    description: str | None
    contentType: str
    status: str
    disabledReason: str | None
    version: int
    lastSuccessAt: str | None
    lastFailureAt: str | None
    failingSince: str | None
    exhaustedDeliveries: int
    createdAt: str | None
    updatedAt: str | None
    secret: str


class Health(TypedDict):
    status: Literal["healthy", "unhealthy"]
    uptime: int
    connections: Connections
    pool: Pool


class Highlight(TypedDict):
    """Half-open offsets, in Unicode code points, into the hit's text."""

    start: int
    end: int


class Integration(TypedDict):
    id: str
    provider: str
    status: str
    apiKeyLast4: str | None
    apiKeyFingerprint: str | None
    webhookSecretSet: bool
    webhookUrl: str | None
    lastSyncAt: str | None
    lastSyncError: str | None
    version: int
    createdAt: str | None
    updatedAt: str | None


class IntegrationBody(TypedDict):
    credentials: CredentialsBody


class Job(TypedDict):
    id: str
    service: str
    kind: str
    queue: str
    lane: str | None
    state: str | None
    progress: int
    attempt: int
    maxAttempts: int
    error: JobError | None
    result: dict[str, Any] | None
    cancelRequested: bool
    stalls: int
    createdAt: str | None
    runAt: str | None
    startedAt: str | None
    finishedAt: str | None
    attempts: list[Attempt]


class JobError(TypedDict):
    code: str
    message: str


class JobRow(TypedDict):
    id: str
    service: str
    kind: str
    queue: str
    lane: str | None
    state: str | None
    progress: int
    attempt: int
    maxAttempts: int
    error: JobError | None
    result: dict[str, Any] | None
    cancelRequested: bool
    stalls: int
    createdAt: str | None
    runAt: str | None
    startedAt: str | None
    finishedAt: str | None


class LanguageModel(TypedDict):
    model: str | None
    temperature: float | None
    maxTokens: int | None


class LanguageModelBody(TypedDict):
    model: NotRequired[str | None]
    temperature: NotRequired[float | None]
    maxTokens: NotRequired[int | None]


class LanguageModelPatch(TypedDict):
    model: NotRequired[str | None]
    temperature: NotRequired[float | None]
    maxTokens: NotRequired[int | None]


class LedgerEntry(TypedDict):
    """Append only; usage is negative."""

    id: str
    type: str
    amount: str
    currency: str
    callId: str | None
    usageEventId: str | None
    balanceAfter: str
    description: str | None
    transactionId: str | None
    createdAt: str | None


class LoggedIn(TypedDict):
    token: str
    expiresAt: str | None
    user: User


class LoginBody(TypedDict):
    email: str
    password: str


class Mail(TypedDict):
    id: str
    to: list[str]
    subject: str
    text: str
    createdAt: str | None


class Meter(TypedDict):
    """What usage is counted in. Usage events of a reserved meter are made by the suite alone."""

    name: str
    unit: str
    description: str
    reserved: bool


class Money(TypedDict):
    """An amount as a decimal string, never a float."""

    amount: str
    currency: str


class NewEntry(TypedDict):
    """The answer to a creation: the entry, and the job that indexes it."""

    id: str
    title: str
    category: str | None
    tags: list[str]
    status: Literal["completed", "failed", "processing"] | None
    documentId: str | None
    source: str | None
    chunkCount: int
    pageCount: int | None
    byteSize: int
    mediaType: str | None
    language: str | None
    languageSource: Literal["detected", "given"] | None
    error: Failure | None
    indexVersion: int
    version: int
    createdAt: str | None
    updatedAt: str | None
    content: str | None
    jobId: str | None


class Organization(TypedDict):
    id: str
    name: str
    timeZone: str | None
    version: int
    createdAt: str | None
    updatedAt: str | None


class OrganizationAnalytics(TypedDict):
    totalCalls: int
    totalMinutes: float
    estimatedCost: Money | None
    activeAgents: int
    lastSync: str | None
    successfulCalls: int
    failedCalls: int
    averageDurationSeconds: float | None


class OrganizationPatch(TypedDict):
    name: NotRequired[str]
    timeZone: NotRequired[str]
    "IANA name, such as Europe/Berlin."


class Pool(TypedDict):
    """One replica of each service: the sum of the configured maxima, and how many are idle and in use now."""

    total: int
    idle: int
    active: int


class Probe(TypedDict):
    status: Literal["live", "ready", "unready"]


class Problem(TypedDict):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    requestId: str
    errors: list[Violation]


class PublishBody(TypedDict):
    description: NotRequired[str | None]
    requireTests: NotRequired[bool]
    "Default: false."


class Queue(TypedDict):
    service: str
    name: str
    paused: bool
    waiting: int
    active: int
    delayed: int
    failed: int
    completed: int
    oldestAgeSeconds: float
    waitP95Seconds: float
    runP95Seconds: float
    finishedPerSecond: float


class Quota(TypedDict):
    name: str
    limit: int
    used: int
    "Counted up to the limit; of a quota by the day, since midnight UTC."


class Quotas(TypedDict):
    data: list[Quota]


class Received(TypedDict):
    received: bool
    duplicate: bool


Reconciliation = TypedDict("Reconciliation", {"from": "str | None", "to": "str | None", "calls": "int", "usageEvents": "int", "ledgerEntries": "int", "differences": "list[Difference]"})


class Recording(TypedDict):
    id: str
    status: str
    mediaType: str | None
    byteSize: int | None
    url: str | None
    transcriptionStatus: str | None
    transcriptionUrl: str | None


class RegisterBody(TypedDict):
    email: str
    password: str
    organizationName: str
    firstName: NotRequired[str]
    lastName: NotRequired[str]


class Registered(TypedDict):
    user: User
    organization: Organization


class ReplayBody(TypedDict):
    """Ids, or a filter of which all given must match; at most 1,000 at once for each service."""

    ids: NotRequired[list[str] | None]
    service: NotRequired[Literal["agent", "billing", "calllog", "identity", "knowledge", "realtime"] | None]
    queue: NotRequired[str | None]
    kind: NotRequired[str | None]
    errorCode: NotRequired[str | None]


class Replayed(TypedDict):
    replayed: int


class RotateBody(TypedDict):
    overlapSeconds: NotRequired[int]
    "How long the old secret still works; 0 ends it at once. Default: 86400."


class Schedule(TypedDict):
    name: str
    kind: str
    cron: str
    timeZone: str
    catchUp: str
    nextFireAt: str | None
    lastFireAt: str | None


class Scores(TypedDict):
    """Null: this ranking did not find the chunk."""

    keyword: float | None
    vector: float | None


class SearchAnswer(TypedDict):
    results: list[SearchHit]
    queryId: str
    tookMs: int
    mode: Literal["hybrid", "keyword", "vector"] | None
    fallbackReason: str | None


class SearchBody(TypedDict):
    query: str
    mode: NotRequired[Literal["hybrid", "keyword", "vector"] | None]
    maxResults: NotRequired[int | None]
    filters: NotRequired[FiltersBody | None]


class SearchHit(TypedDict):
    entryId: str
    chunkId: str
    documentId: str | None
    title: str
    heading: str | None
    text: str
    score: float
    scores: Scores
    highlights: list[Highlight]
    page: int | None
    source: str | None
    version: int


class Session(TypedDict):
    id: str
    userId: str
    ipAddress: str | None
    userAgent: str | None
    current: bool
    createdAt: str | None
    lastSeenAt: str | None
    expiresAt: str | None


class Stats(TypedDict):
    entries: int
    documents: int
    chunks: int
    bytes: int
    processing: int
    failed: int
    embeddingModel: str | None


class SyncStarted(TypedDict):
    jobId: str
    status: str


class TestDelivery(TypedDict):
    deliveryId: str
    jobId: str


class Timeseries(TypedDict):
    interval: str
    data: list[Bucket]


class TopUp(TypedDict):
    """The balance is the one that the top-up led to, once it is settled."""

    id: str
    amount: str
    currency: str
    status: Literal["expired", "failed", "pending", "reversed", "settled"]
    paymentUrl: str | None
    reversedAmount: str
    balance: Balance
    createdAt: str | None


class TopUpBody(TypedDict):
    amount: str
    currency: NotRequired[str]
    "Default: \"USD\"."


class Transcription(TypedDict):
    """The suite's own transcription of a recording whose provider sent no transcript."""

    status: str | None
    text: str | None
    model: str | None
    language: str | None
    durationSeconds: float | None
    segments: list[TranscriptionSegment]


class TranscriptionSegment(TypedDict):
    startSeconds: float
    endSeconds: float
    text: str


class Turn(TypedDict):
    index: int
    role: str | None
    text: str
    timeSeconds: float
    toolCalls: list[dict[str, Any]] | None


class Upload(TypedDict):
    documentId: str
    entryId: str
    jobId: str
    status: Literal["processing"]


class UsageBody(TypedDict):
    """One event, or up to a hundred under `events`."""

    events: NotRequired[list[UsageEventBody] | None]
    id: NotRequired[str | None]
    meter: NotRequired[str | None]
    timestamp: NotRequired[str | None]
    value: NotRequired[str | int | float | None]
    subject: NotRequired[str | None]
    properties: NotRequired[dict[str, Any] | None]


class UsageEvent(TypedDict):
    id: str
    meter: str
    timestamp: str | None
    value: str
    subject: str | None
    properties: dict[str, Any]
    createdAt: str | None


class UsageEventBody(TypedDict):
    id: str
    meter: str
    "One that GET /api/billing/meters lists and does not reserve."
    timestamp: str
    value: str | int | float
    subject: NotRequired[str | None]
    properties: NotRequired[dict[str, Any] | None]


class UsageRecorded(TypedDict):
    accepted: int
    duplicates: int


class UsageRow(TypedDict):
    meter: str
    quantity: str
    amount: str
    currency: str
    events: int
    agentId: str | None
    provider: str | None
    day: str | None


class User(TypedDict):
    id: str
    email: str
    organizationId: str
    role: Literal["admin", "member", "owner", "viewer"] | None
    firstName: str | None
    lastName: str | None
    createdAt: str | None
    updatedAt: str | None


class Violation(TypedDict):
    """One field to fix in a request."""

    pointer: str
    code: str
    detail: str


class WebhookDelivery(TypedDict):
    id: str
    endpointId: str
    eventId: str
    eventType: str
    status: str
    attempts: int
    lastStatusCode: int | None
    lastError: str | None
    jobId: str | None
    createdAt: str | None
    nextAttemptAt: str | None
    deliveredAt: str | None


class WebhookEndpoint(TypedDict):
    id: str
    url: str
    eventTypes: list[str]
    description: str | None
    contentType: str
    status: str
    disabledReason: str | None
    version: int
    lastSuccessAt: str | None
    lastFailureAt: str | None
    failingSince: str | None
    exhaustedDeliveries: int
    createdAt: str | None
    updatedAt: str | None


class WebhookEndpointBody(TypedDict):
    url: str
    eventTypes: list[Literal["*", "org.*", "user.*", "api_key.*", "session.*", "agent.*", "integration.*", "document.*", "entry.*", "call.*", "usage.*", "credit.*", "webhook_endpoint.*", "webhook.*", "job.*", "org.created", "org.updated", "user.created", "api_key.created", "api_key.rotated", "api_key.revoked", "session.revoked", "agent.created", "agent.updated", "agent.published", "agent.deleted", "integration.updated", "integration.synced", "integration.failed", "document.uploaded", "document.processed", "document.failed", "entry.created", "entry.updated", "entry.deleted", "call.started", "call.updated", "call.ended", "call.recording_ready", "usage.recorded", "credit.low", "credit.depleted", "credit.topped_up", "webhook_endpoint.disabled", "webhook.test", "job.progressed", "job.finished"]]
    description: NotRequired[str | None]
    contentType: NotRequired[Literal["application/cloudevents+json", "application/json"] | None]


class WebhookEndpointPatch(TypedDict):
    url: NotRequired[str]
    eventTypes: NotRequired[list[Literal["*", "org.*", "user.*", "api_key.*", "session.*", "agent.*", "integration.*", "document.*", "entry.*", "call.*", "usage.*", "credit.*", "webhook_endpoint.*", "webhook.*", "job.*", "org.created", "org.updated", "user.created", "api_key.created", "api_key.rotated", "api_key.revoked", "session.revoked", "agent.created", "agent.updated", "agent.published", "agent.deleted", "integration.updated", "integration.synced", "integration.failed", "document.uploaded", "document.processed", "document.failed", "entry.created", "entry.updated", "entry.deleted", "call.started", "call.updated", "call.ended", "call.recording_ready", "usage.recorded", "credit.low", "credit.depleted", "credit.topped_up", "webhook_endpoint.disabled", "webhook.test", "job.progressed", "job.finished"]]]
    description: NotRequired[str | None]
    contentType: NotRequired[Literal["application/cloudevents+json", "application/json"] | None]
    status: NotRequired[Literal["disabled", "enabled"]]
