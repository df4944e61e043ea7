"""Documents on the running suite: forms in any order, large and wrong ones, downloads."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.patience import PATIENCE_SECONDS

from .conftest import Customer, problem

BOUNDARY = "b0undary"
TEXT = b"# Opening hours\n\nWe open at eight in the morning.\n\n# Prices\n\nBread costs four euros.\n"
MIB = 1024 * 1024


Part = tuple[str, bytes] | tuple[str, bytes, str]


def form(*parts: Part) -> dict[str, Any]:
    """A form in exactly this order, which httpx would not keep."""
    raw = b""
    for name, content, *file_name in parts:
        disposition = f'form-data; name="{name}"' + (f'; filename="{file_name[0]}"' if file_name else "")
        raw += f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n"
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return {"content": raw + f"--{BOUNDARY}--\r\n".encode(), "headers": headers}


def finished(ada: Customer, uploaded: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        status: dict[str, Any] = ada.http.get(f"/api/documents/{uploaded['documentId']}/status").json()
        if status["status"] != "processing":
            return status
        assert time.monotonic() < deadline, status
        time.sleep(0.1)


def test_a_document_goes_in_and_comes_out_as_it_was(ada: Customer) -> None:
    answer = ada.http.post("/api/documents/upload", files={"document": ("hours.md", TEXT)}, data={"title": "Hours"})
    assert answer.status_code == 202
    uploaded = answer.json()
    assert set(uploaded) == {"documentId", "entryId", "jobId", "status"}
    assert answer.headers["location"] == f"/api/jobs/{uploaded['jobId']}"
    status = finished(ada, uploaded)
    assert (status["status"], status["progress"], status["error"]) == ("completed", 100, None)
    assert status["chunks"] > 0
    job = ada.http.get(answer.headers["location"]).json()
    assert (job["kind"], job["state"], job["progress"]) == ("document.process", "completed", 100)
    download = ada.http.get(f"/api/documents/{uploaded['documentId']}/download")
    assert download.content == TEXT
    assert "hours.md" in download.headers["content-disposition"]
    head = ada.http.head(f"/api/documents/{uploaded['documentId']}/download")
    assert (head.headers["content-length"], head.content) == (str(len(TEXT)), b"")


def test_an_entry_that_agents_speak_from_is_deleted_only_on_purpose(ada: Customer) -> None:
    entry = ada.http.post("/api/knowledge-base/entries", json={"title": "Hours", "content": "We open at eight."}).json()
    path = f"/api/knowledge-base/entries/{entry['id']}"
    agent = ada.agent(name="Porter", knowledgeEntryIds=[entry["id"]])

    refused = problem(ada.http.delete(path, params={"ifUnused": "true"}), 409, "entry_in_use")
    assert refused["errors"] == [{"pointer": f"/api/agents/{agent['id']}", "code": "uses_entry", "detail": "Porter"}]
    assert ada.http.get(path).status_code == 200

    assert ada.http.patch(f"/api/agents/{agent['id']}", json={"knowledgeEntryIds": []}).status_code == 200
    assert ada.http.delete(path, params={"ifUnused": "true"}).status_code == 204
    problem(ada.http.delete(path, params={"ifUnused": "true"}), 404, "entry_not_found")


@pytest.mark.parametrize("order", ["fields first", "file first", "file between"])
def test_the_fields_of_a_form_may_stand_anywhere(ada: Customer, order: str) -> None:
    title, tags, file = ("title", b"Placed"), ("tags", b"a, b"), ("document", TEXT, "x.md")
    parts: dict[str, tuple[Part, ...]] = {
        "fields first": (title, tags, file),
        "file first": (file, title, tags),
        "file between": (title, file, tags),
    }
    answer = ada.http.post("/api/documents/upload", **form(*parts[order]))
    assert answer.status_code == 202, answer.text
    entry = ada.http.get(f"/api/knowledge-base/entries/{answer.json()['entryId']}").json()
    assert (entry["title"], entry["tags"], entry["documentId"]) == ("Placed", ["a", "b"], answer.json()["documentId"])


def test_a_repeated_upload_has_one_effect_and_compares_the_bytes(ada: Customer) -> None:
    headers = {"Idempotency-Key": secrets.token_hex(8)}

    def upload(content: bytes) -> Any:
        return ada.http.post("/api/documents/upload", files={"document": ("k.txt", content)}, headers=headers)

    first, again = upload(b"The same words."), upload(b"The same words.")
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    problem(upload(b"Other words now."), 422, "idempotency_key_reused")


def test_25_mib_are_taken_and_a_byte_more_is_not(ada: Customer) -> None:
    content = b"All work and no play. " * (25 * MIB // 22)
    content += b" " * (25 * MIB - len(content))
    assert ada.http.post("/api/documents/upload", files={"document": ("big.txt", content)}).status_code == 202
    over = ada.http.post("/api/documents/upload", files={"document": ("big.txt", content + b".")})
    problem(over, 413, "payload_too_large")


def test_an_upload_without_a_length_is_cut_off_too(ada: Customer) -> None:
    def endless() -> Iterator[bytes]:
        yield f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="document"; filename="x.txt"\r\n\r\n'.encode()
        for _ in range(27):
            yield b"y" * MIB

    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    problem(ada.http.post("/api/documents/upload", content=endless(), headers=headers), 413, "payload_too_large")


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (form(("title", b"no file")), 422, "validation_failed"),
        (form(("document", TEXT, "x.md"), ("unheard", b"x")), 422, "validation_failed"),
        (form(("document", TEXT, "x.md"), ("document", TEXT, "y.md")), 422, "validation_failed"),
        (form(("document", b"", "x.md")), 422, "empty_document"),
        (form(("document", b"MZ", "x.exe")), 415, "unsupported_media_type"),
        (form(("document", TEXT, "x.md"), ("title", b"\xff")), 400, "invalid_utf8"),
        (form(("document", TEXT, "x.md"), ("entryId", b"kbe_nothing")), 404, "entry_not_found"),
        (
            {"content": b"junk", "headers": {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}},
            400,
            "invalid_multipart",
        ),
        ({"json": {}}, 415, "unsupported_media_type"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_forms_are_refused_and_leave_nothing(ada: Customer, sent: dict[str, Any], status: int, code: str) -> None:
    before = ada.http.get("/api/knowledge-base/entries").json()["total"]
    problem(ada.http.post("/api/documents/upload", **sent), status, code)
    assert ada.http.get("/api/knowledge-base/entries").json()["total"] == before


def test_another_organization_sees_none_of_it(ada: Customer, bob: Customer) -> None:
    uploaded = ada.http.post("/api/documents/upload", files={"document": ("s.md", TEXT)}).json()
    for path, code in (
        (f"/api/documents/{uploaded['documentId']}/status", "document_not_found"),
        (f"/api/documents/{uploaded['documentId']}/download", "document_not_found"),
        (f"/api/knowledge-base/entries/{uploaded['entryId']}", "entry_not_found"),
        (f"/api/knowledge-base/entries/{uploaded['entryId']}/chunks", "entry_not_found"),
        (f"/api/jobs/{uploaded['jobId']}", "job_not_found"),
    ):
        problem(bob.http.get(path), 404, code)
    assert bob.http.get("/api/jobs").json()["data"] == []
