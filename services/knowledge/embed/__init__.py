"""From text to vectors: a local model or an endpoint, behind one interface (`embedder`)."""

from __future__ import annotations

from services.knowledge.config import KnowledgeSettings
from services.knowledge.embed.embedder import Embedder
from services.knowledge.embed.local import LocalEmbedder
from services.knowledge.embed.sandboxed import MULTILINGUAL, SandboxedEmbedder


def questions_embedder(settings: KnowledgeSettings) -> Embedder:
    """For a serving process: the endpoint where one is configured, else the local model."""
    if settings.multilingual:
        return SandboxedEmbedder(1, MULTILINGUAL)
    return _remote(settings) or LocalEmbedder(1)


def documents_embedder(settings: KnowledgeSettings) -> Embedder:
    """For a worker: the endpoint where one is configured, else the local model in processes of its own."""
    if settings.multilingual:
        return SandboxedEmbedder(settings.embed_processes, MULTILINGUAL)
    return _remote(settings) or SandboxedEmbedder(settings.embed_processes)


def _remote(settings: KnowledgeSettings) -> Embedder | None:
    if not settings.embeddings_url:
        return None
    from libs.http import OutboundClient
    from services.knowledge.embed.remote import RemoteEmbedder

    client = OutboundClient(settings.outbound_allow)
    return RemoteEmbedder(client, settings.embeddings_url, settings.embeddings_model, settings.embeddings_key)
