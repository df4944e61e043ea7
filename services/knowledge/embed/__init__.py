"""From text to vectors: the local model or an endpoint, behind one interface (`embedder`)."""

from services.knowledge.config import KnowledgeSettings
from services.knowledge.embed.embedder import Embedder
from services.knowledge.embed.local import LocalEmbedder


def choose_embedder(settings: KnowledgeSettings, *, threads: int) -> Embedder:
    """The endpoint where one is configured, else the local model with this many threads."""
    if not settings.embeddings_url:
        return LocalEmbedder(threads)
    from libs.http import OutboundClient
    from services.knowledge.embed.remote import RemoteEmbedder

    client = OutboundClient(settings.outbound_allow)
    return RemoteEmbedder(client, settings.embeddings_url, settings.embeddings_model, settings.embeddings_key)
