"""Knowledge's gRPC methods, one module a gRPC service."""

from __future__ import annotations

from services.knowledge.servicer.knowledge import KnowledgeServicer
from services.knowledge.servicer.sources import SourceServicer

__all__ = ["KnowledgeServicer", "SourceServicer"]
