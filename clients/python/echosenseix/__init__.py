"""The typed client of EchoSenseiX: `Client` and `AsyncClient`, their errors, and the verification of webhooks.

Values are the JSON of the API, typed as TypedDicts (`echosenseix.models`). See the README for a tour.
"""

from .client import AsyncClient, Client
from .errors import (
    ApiError,
    BadRequest,
    Conflict,
    ConnectionFailed,
    EchoSenseiXError,
    Forbidden,
    NotAuthenticated,
    NotFound,
    PositionExpired,
    PreconditionFailed,
    ServerError,
    TooManyRequests,
    ValidationFailed,
    WebhookRefused,
)
from .events import Event
from .generated import models
from .retries import Retries
from .webhooks import Webhook

__all__ = [
    "ApiError",
    "AsyncClient",
    "BadRequest",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "EchoSenseiXError",
    "Event",
    "Forbidden",
    "NotAuthenticated",
    "NotFound",
    "PositionExpired",
    "PreconditionFailed",
    "Retries",
    "ServerError",
    "TooManyRequests",
    "ValidationFailed",
    "Webhook",
    "WebhookRefused",
    "models",
]
