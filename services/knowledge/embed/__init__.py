"""From text to vectors: a local model or an endpoint, behind one interface (`embedder`)."""

from __future__ import annotations

from services.knowledge.config import KnowledgeSettings
from services.knowledge.embed.embedder import Embedder
from services.knowledge.embed.local import LocalEmbedder
from services.knowledge.embed.models import MODELS, MULTILINGUAL
from services.knowledge.embed.sandboxed import SandboxedEmbedder


def questions_embedder(settings: KnowledgeSettings) -> Embedder:
    """For a serving process: the endpoint where one is configured, else a local model, in a sandbox where that has a
    tokenizer in C."""
    if settings.embeddings_url:
        return _remote(settings, settings.embeddings_url)
    model = MODELS[settings.embeddings_model]
    return SandboxedEmbedder(1, model) if model is MULTILINGUAL else LocalEmbedder(1, model)


def documents_embedder(settings: KnowledgeSettings) -> Embedder:
    """For a worker: the endpoint where one is configured, else a local model in processes of its own."""
    if settings.embeddings_url:
        return _remote(settings, settings.embeddings_url)
    return SandboxedEmbedder(settings.embed_processes, MODELS[settings.embeddings_model])


def _remote(settings: KnowledgeSettings, url: str) -> Embedder:
    from libs.http import OutboundClient
    from services.knowledge.embed.remote import RemoteEmbedder

    client = OutboundClient(settings.outbound_allow)
    return RemoteEmbedder(client, url, settings.embeddings_model, settings.embeddings_key)
