from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.http.multipart import CHUNK_BYTES, FILE_LIMIT, UploadForm
from gateway.http.request import Request
from libs.errors import AppError
from tests.unit.gateway.requests import OPTIONS

BOUNDARY = b"b0undary"
CONTENT_TYPE = "multipart/form-data; boundary=b0undary"


def part(name: str, content: bytes, file_name: str | None = None, media_type: str = "") -> bytes:
    disposition = f'form-data; name="{name}"' + (f'; filename="{file_name}"' if file_name is not None else "")
    head = f"Content-Disposition: {disposition}\r\n" + (f"Content-Type: {media_type}\r\n" if media_type else "")
    return b"--" + BOUNDARY + b"\r\n" + head.encode() + b"\r\n" + content + b"\r\n"


def body(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"


def form(
    raw: bytes,
    *,
    sizes: int = 1000,
    content_type: str = CONTENT_TYPE,
    declared: str = "",
    whole: bool = True,
    limit: int = FILE_LIMIT,
) -> UploadForm:
    pieces = [raw[start : start + sizes] for start in range(0, len(raw), sizes)] or [b""]

    async def receive() -> dict[str, Any]:
        if not pieces:
            return {"type": "http.disconnect"}
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces) or not whole}

    allowed = frozenset(("title", "tags"))
    fields = [(b"content-type", content_type.encode()), (b"content-length", declared.encode())]
    request: Request[Any, Any, Any] = Request({"type": "http", "headers": fields}, receive, OPTIONS)
    return UploadForm(request, file_field="document", allowed=allowed, limit=limit)


async def read(upload: UploadForm) -> bytes:
    await upload.open()
    return b"".join([chunk async for chunk in upload.chunks()])


FILE = part("document", b"hello\r\n--b0undar", "a.txt", "text/plain; charset=utf-8")


@settings(max_examples=50)
@given(st.binary(max_size=3000), st.integers(1, 700))
async def test_a_file_comes_through_whatever_the_network_cuts(content: bytes, sizes: int) -> None:
    raw = body(part("title", "Größe".encode()), part("document", content, "a.bin"), part("tags", b"x"))
    if BOUNDARY in content:
        return
    upload = form(raw, sizes=sizes)
    assert await read(upload) == content
    assert (upload.text("title"), upload.texts("tags")) == ("Größe", ["x"])


async def test_fields_before_the_file_are_known_when_it_begins() -> None:
    upload = form(body(part("title", b"T"), FILE, part("tags", b"a,b")), sizes=100)
    file = await upload.open()
    assert (file.file_name, file.media_type) == ("a.txt", "text/plain")
    assert upload.text("title") == "T"
    assert b"".join([chunk async for chunk in upload.chunks()]) == b"hello\r\n--b0undar"
    assert upload.texts("tags") == ["a,b"]


async def test_no_piece_is_larger_than_a_message_may_be() -> None:
    content = b"x" * (3 * CHUNK_BYTES + 5)
    upload = form(body(part("document", content, "a")), sizes=10**6)
    await upload.open()
    pieces = [chunk async for chunk in upload.chunks()]
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= CHUNK_BYTES


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (body(part("title", b"T")), "validation_failed"),
        (body(part("document", b"no file name")), "validation_failed"),
        (body(FILE, FILE), "validation_failed"),
        (body(FILE, part("other", b"x")), "validation_failed"),
        (body(part("other", b"x", "b.txt"), FILE), "validation_failed"),
        (body(part("title", b"\xff"), FILE), "invalid_utf8"),
        (body(part("title", b"a\x00"), FILE), "validation_failed"),
        (body(part("title", b"x" * 70_000), FILE), "payload_too_large"),
        (body(*(part("tags", b"x") for _ in range(70)), FILE), "invalid_multipart"),
        (FILE, "invalid_multipart"),
        (b"", "invalid_multipart"),
        (b"not a form at all", "invalid_multipart"),
        (b"--wrong\r\n\r\n--wrong--", "invalid_multipart"),
    ],
)
async def test_a_form_that_is_none_is_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(AppError) as caught:
        await read(form(raw))
    assert caught.value.reason == reason


async def test_a_file_over_the_limit_is_cut_off_where_it_gets_too_large() -> None:
    assert len(await read(form(body(part("document", b"x" * 5000, "a")), limit=5000))) == 5000
    upload = form(body(part("document", b"x" * 5001, "a")), limit=5000)
    await upload.open()
    with pytest.raises(AppError, match="payload_too_large"):
        _ = [chunk async for chunk in upload.chunks()]


def test_an_announced_length_over_the_limit_is_refused_unread() -> None:
    with pytest.raises(AppError, match="payload_too_large"):
        form(b"", declared=str(26 * 1024 * 1024))


@pytest.mark.parametrize(
    ("content_type", "reason"),
    [
        ("", "unsupported_media_type"),
        ("application/json", "unsupported_media_type"),
        ("multipart/mixed; boundary=b", "unsupported_media_type"),
        ("multipart/form-data", "invalid_multipart"),
        ("multipart/form-data; boundary=", "invalid_multipart"),
        ("multipart/form-data; boundary=" + "b" * 300, "invalid_multipart"),
    ],
)
def test_only_a_form_with_a_boundary_is_taken(content_type: str, reason: str) -> None:
    with pytest.raises(AppError) as caught:
        form(b"", content_type=content_type)
    assert caught.value.reason == reason


async def test_a_vanished_client_leaves_no_whole_file() -> None:
    with pytest.raises(AppError, match="incomplete_body"):
        await read(form(body(FILE)[:-20], whole=False))


async def test_a_repeated_single_field_is_refused_when_it_is_asked_for() -> None:
    upload = form(body(part("title", b"A"), part("title", b"B"), FILE))
    await read(upload)
    with pytest.raises(AppError, match="validation_failed"):
        upload.text("title")


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\\\docs\\\\a.pdf", "a.pdf"),
        ("a\tb.txt", "ab.txt"),
        ("..", "document"),
        ("", "document"),
        ("x" * 300 + ".pdf", "x" * 251 + ".pdf"),
    ],
)
async def test_of_a_file_name_only_its_last_step_is_kept(given_name: str, kept: str) -> None:
    assert (await form(body(part("document", b"x", given_name))).open()).file_name == kept


@pytest.mark.parametrize(
    ("misplaced", "violations"),
    [
        (part("file", b"x", "a.txt"), [("#/file", "unknown_field"), ("#/document", "required")]),
        (part("document", b"x"), [("#/document", "required")]),
        (part("title", b"x", "a.txt"), [("#/title", "unknown_field"), ("#/document", "required")]),
        (part("a/b", b"x"), [("#/a~1b", "unknown_field")]),
    ],
)
async def test_a_misplaced_file_is_told_which_field_misses_it(
    misplaced: bytes, violations: list[tuple[str, str]]
) -> None:
    with pytest.raises(AppError) as refused:
        await form(body(misplaced)).open()
    assert [(item.pointer, item.code) for item in refused.value.violations] == violations


async def test_an_extra_field_after_the_file_is_all_that_is_wrong() -> None:
    with pytest.raises(AppError) as refused:
        await read(form(body(FILE, part("color", b"x"))))
    assert [(item.pointer, item.code) for item in refused.value.violations] == [("#/color", "unknown_field")]
    assert "document, tags, title" in refused.value.violations[0].detail


async def test_fields_and_file_names_are_composed() -> None:
    upload = form(body(part("title", "Gro\u0308ße".encode()), part("document", b"x", "Gro\u0308ße.txt")))
    assert (await upload.open()).file_name == "Größe.txt"
    assert upload.text("title") == "Größe"
