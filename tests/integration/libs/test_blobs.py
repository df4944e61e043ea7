"""Object storage on real stores: in memory and in a folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from libs.blobs import BlobStore
from libs.errors import NotFound, OutOfRange, Unavailable

CONTENT = bytes(range(256)) * 4_000


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    return BlobStore.from_url("memory://" if request.param == "memory" else f"file://{tmp_path}/a%20b/blobs")


async def _parts(content: bytes, size: int = 70_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def test_what_was_put_is_got_streamed_and_measured(store: BlobStore) -> None:
    assert await store.put("org_1/doc_1/original", CONTENT) == len(CONTENT)
    assert await store.put("org_1/doc_2/original", _parts(CONTENT)) == len(CONTENT)
    for key in ("org_1/doc_1/original", "org_1/doc_2/original"):
        assert await store.get(key) == CONTENT
        assert await store.size(key) == len(CONTENT)
        assert b"".join([chunk async for chunk in store.stream(key)]) == CONTENT


async def test_a_second_put_replaces(store: BlobStore) -> None:
    await store.put("k", b"long content")
    await store.put("k", b"short")
    assert await store.get("k") == b"short"


@pytest.mark.parametrize(
    ("start", "end", "expected"), [(0, 3, b"012"), (3, None, b"3456789"), (8, 99, b"89"), (10, None, b""), (4, 4, b"")]
)
async def test_ranges(store: BlobStore, start: int, end: int | None, expected: bytes) -> None:
    await store.put("k", b"0123456789")
    assert b"".join([chunk async for chunk in store.stream("k", start, end)]) == expected


@pytest.mark.parametrize(("start", "end"), [(11, None), (-1, None), (5, 4)])
async def test_a_range_outside_is_refused(store: BlobStore, start: int, end: int | None) -> None:
    await store.put("k", b"0123456789")
    with pytest.raises(OutOfRange):
        await anext(store.stream("k", start, end))


async def test_what_is_absent_is_not_found_and_deleting_it_is_fine(store: BlobStore) -> None:
    await store.put("k", b"x")
    await store.delete("k")
    await store.delete("k")
    for asking in (store.get("k"), store.size("k"), anext(store.stream("k"))):
        with pytest.raises(NotFound) as caught:
            await asking
        assert caught.value.reason == "blob_not_found"


async def test_a_broken_upload_leaves_nothing(store: BlobStore, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield CONTENT
        raise ValueError("the sender went away")

    with pytest.raises(ValueError, match="went away"):
        await store.put("org_1/cut", broken())
    with pytest.raises(NotFound):
        await store.size("org_1/cut")
    assert _files(tmp_path) == []


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../x", "a/../b", "a//b", ".hidden", "a/.b", "a b", "ä", "a\x00", "a\n", "x" * 600, "a/"]
)
async def test_keys_that_are_not_made_of_ids_are_refused(store: BlobStore, key: str) -> None:
    with pytest.raises(ValueError, match="blob key"):
        await store.put(key, b"")


async def test_a_folder_that_refuses_is_unavailable_without_its_name(tmp_path: Path) -> None:
    store = BlobStore.from_url(f"file://{tmp_path}/blobs")
    (tmp_path / "blobs" / "org_1").write_bytes(b"a file where a folder must be")
    with pytest.raises(Unavailable) as caught:
        await store.put("org_1/doc", b"x")
    assert str(tmp_path) not in caught.value.detail


def test_a_new_folder_is_closed_to_others(tmp_path: Path) -> None:
    BlobStore.from_url(f"file://{tmp_path}/blobs")
    assert (tmp_path / "blobs").stat().st_mode & 0o077 == 0
