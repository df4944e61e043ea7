"""Realtime's gRPC methods, one module a gRPC service."""

from __future__ import annotations

from services.realtime.servicer.notifications import NotificationServicer
from services.realtime.servicer.realtime import RealtimeServicer
from services.realtime.servicer.webhook_endpoints import WebhookEndpointServicer

__all__ = ["NotificationServicer", "RealtimeServicer", "WebhookEndpointServicer"]
