"""The gRPC methods. Each is one use case: check the caller, act, append the event, answer."""

from __future__ import annotations

from .agents import AgentServicer
from .integrations import IntegrationServicer

__all__ = ["AgentServicer", "IntegrationServicer"]
