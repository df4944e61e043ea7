"""Why a document cannot be read: stable reasons, each with the sentence that a person sees.

Shared by the sandboxed side that reads and the caller that reports; imports nothing.
"""

from __future__ import annotations

SENTENCES = {
    "document_encrypted": "The document is protected by a password. Remove the protection and upload it again.",
    "document_corrupt": "The document is damaged and cannot be read. Export it again and upload the new file.",
    "document_expands_too_far": "The document unpacks to far more data than its size allows.",
    "document_unsafe": "The document holds parts that point outside itself or define entities; it was not read.",
    "document_too_many_pages": "The document has more pages than the service reads. Split it and upload the parts.",
    "document_text_too_long": "The document holds more text than the service reads. Split it and upload the parts.",
    "document_without_words": "The document is mostly a run of characters without spaces, so it has no words to find.",
    "no_text_found": (
        "No text was found in the document. Scans are read where text recognition is installed "
        "(dependency group `ocr`)."
    ),
    "scan_not_recognized": (
        "The text of the scan could not be recognized. It is tried with texts in Latin script alone."
    ),
    "extraction_timeout": "Reading the document took too long. Simplify or split it and upload it again.",
    "extraction_memory": "Reading the document took too much memory. Simplify or split it and upload it again.",
    "extraction_crashed": "The document made its reader stop. It is probably damaged; export it again and upload it.",
}

# What the reader of texts says of a PDF whose text is in pictures; no customer sees it.
SCANNED = "document_scanned"


class Refusal(Exception):
    """A document that no further try can read; `reason` is a key of SENTENCES."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @property
    def sentence(self) -> str:
        return SENTENCES[self.reason]
