"""Entries follow their address: what changed is read again, what is gone is deleted, what fails is said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from echosenseix.knowledge.v1 import knowledge_pb2 as pb
from libs.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from libs.ids import new_id
from services.knowledge.operations.enqueueing import SOURCE_SCHEDULE

from .conftest import Counting, Service, as_org

HELP = "<html><head><title>Help &amp; rules</title></head><body><h1>Help</h1><p>{}</p></body></html>"


@dataclass
class Site:
    """A web server of pages by path: (status, content type, body). Answers ETag and 304 as servers do."""

    pages: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)
    location: str = ""
    url: str = ""
    server: asyncio.Server | None = None

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split(" ")[1]
        status, media, body = self.pages.get(path, (404, "text/plain", "no"))
        tag = f'"{hash(body)}"'
        if status == 200 and f"if-none-match: {tag}" in head:
            status, body = 304, ""
        self.asked.append((path, status))
        lines = [f"HTTP/1.1 {status} X", f"etag: {tag}", f"content-type: {media}", "connection: close"]
        lines += [f"location: {self.location}"] if status == 302 else []
        lines += [f"content-length: {len(body.encode())}"] if status != 304 else []
        writer.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
        await writer.drain()
        writer.close()

    def put(self, path: str, words: str) -> None:
        self.pages[path] = (200, "text/html; charset=utf-8", HELP.format(words))


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    await made.start()
    yield made
    assert made.server is not None
    made.server.close()


async def follow(service: Service, org: str, url: str, **fields: Any) -> pb.Source:
    """The source after its first refresh."""
    with as_org(org):
        request = pb.CreateSourceRequest(source=pb.Source(url=url, **fields))
        made = await service.sources.CreateSource(request, None)
    await service.until_job_ended(made.job_id)
    return await source(service, org, made.source.id)


async def source(service: Service, org: str, source_id: str) -> pb.Source:
    with as_org(org):
        return (await service.sources.GetSource(pb.GetSourceRequest(id=source_id), None)).source


async def refresh(service: Service, org: str, source_id: str) -> pb.Source:
    with as_org(org):
        job = await service.sources.RefreshSource(pb.RefreshSourceRequest(id=source_id), None)
    await service.until_job_ended(job.job_id)
    return await source(service, org, source_id)


async def titles(service: Service, org: str) -> dict[str, str]:
    """Entry ids by title, once nothing is being indexed."""
    with as_org(org):
        entries = (await service.servicer.ListEntries(pb.ListEntriesRequest(), None)).entries
    for entry in entries:
        await service.until_settled(org, entry.id)
    return {entry.title: entry.id for entry in entries}


async def test_a_page_becomes_an_entry_that_cites_its_address(service: Service, org: str, site: Site) -> None:
    site.put("/help", "Parcels leave on Monday.")
    made = await follow(service, org, f"{site.url}/help", category="web", tags=["help"])

    assert (made.status, made.page_count, made.error_code) == (pb.SOURCE_STATUS_CURRENT, 1, "")
    assert list(await titles(service, org)) == ["Help & rules"]
    (hit,) = (await service.search(org, "parcels", filters=pb.SearchFilters(category="web", tags=["help"]))).hits
    assert (hit.source, hit.text) == (f"{site.url}/help", "Parcels leave on Monday.")


async def test_a_refresh_reads_only_what_changed(service: Service, org: str, site: Site) -> None:
    site.put("/help", "Parcels leave on Monday.")
    made = await follow(service, org, f"{site.url}/help")
    (entry_id,) = (await titles(service, org)).values()

    same = await refresh(service, org, made.id)
    assert site.asked == [("/help", 200), ("/help", 304)]
    assert (same.change_time, same.check_time.ToNanoseconds() > made.check_time.ToNanoseconds()) == (
        made.change_time,
        True,
    )
    assert (await service.entry(org, entry_id)).index_version == 1

    site.put("/help", "Parcels leave on Tuesday.")
    changed = await refresh(service, org, made.id)
    await service.until_settled(org, entry_id)
    assert changed.change_time.ToNanoseconds() > made.change_time.ToNanoseconds()
    assert list((await titles(service, org)).values()) == [entry_id]
    (hit,) = (await service.search(org, "parcels leave", pb.SEARCH_MODE_KEYWORD)).hits
    assert (hit.text, hit.source, hit.index_version) == ("Parcels leave on Tuesday.", f"{site.url}/help", 2)


async def test_a_source_that_fails_stays_searchable_and_says_since_when_it_is_stale(
    service: Service, org: str, site: Site
) -> None:
    site.put("/help", "Parcels leave on Monday.")
    made = await follow(service, org, f"{site.url}/help", refresh_interval_seconds=3600)
    await titles(service, org)

    site.pages["/help"] = (403, "text/plain", "no")
    first = await refresh(service, org, made.id)
    second = await refresh(service, org, made.id)
    assert (first.status, first.error_code) == (pb.SOURCE_STATUS_FAILED, "source_refused")
    assert first.stale_since == second.stale_since
    assert first.next_refresh_time.ToNanoseconds() < made.next_refresh_time.ToNanoseconds()
    assert len((await service.search(org, "parcels")).hits) == 1

    site.put("/help", "Parcels leave on Monday.")
    good = await refresh(service, org, made.id)
    assert (good.status, good.HasField("stale_since")) == (pb.SOURCE_STATUS_CURRENT, False)


async def test_a_sitemap_adds_and_deletes_its_pages(service: Service, org: str, site: Site) -> None:
    def listed(*paths: str) -> None:
        urls = "".join(f"<url><loc>{site.url}{path}</loc></url>" for path in paths)
        away = "<url><loc>http://example.com/elsewhere</loc></url>"
        site.pages["/sitemap.xml"] = (200, "application/xml", f"<urlset>{urls}{away}</urlset>")

    for path in ("/one", "/two", "/three"):
        site.pages[path] = (200, "text/html", f"<title>{path}</title><p>Words of {path}.</p>")
    listed("/one", "/two")
    made = await follow(service, org, f"{site.url}/sitemap.xml", kind=pb.SOURCE_KIND_SITEMAP)
    assert (made.page_count, sorted(await titles(service, org))) == (2, ["/one", "/two"])

    listed("/two", "/three")
    again = await refresh(service, org, made.id)
    assert (again.page_count, sorted(await titles(service, org))) == (2, ["/three", "/two"])

    del site.pages["/three"]
    gone = await refresh(service, org, made.id)
    assert (gone.page_count, sorted(await titles(service, org))) == (1, ["/two"])


async def test_a_deleted_source_takes_its_entries_along(service: Service, org: str, site: Site) -> None:
    site.put("/help", "Parcels leave on Monday.")
    made = await follow(service, org, f"{site.url}/help")
    own = (await service.create(org, "Own", "Words that stay.")).entry.id
    await titles(service, org)
    with as_org(org), pytest.raises(FailedPrecondition):
        await service.sources.DeleteSource(pb.DeleteSourceRequest(id=made.id, expected_version=99), None)
    with as_org(org):
        await service.sources.DeleteSource(pb.DeleteSourceRequest(id=made.id), None)

    assert list((await titles(service, org)).values()) == [own]
    assert not (await service.search(org, "parcels", pb.SEARCH_MODE_KEYWORD)).hits
    with pytest.raises(NotFound):
        await source(service, org, made.id)


async def test_what_is_due_is_refreshed_by_the_schedule(
    build_service: Callable[..., Awaitable[Service]], org: str, site: Site
) -> None:
    service = await build_service(Counting())
    site.put("/help", "Parcels leave on Monday.")
    async with service.work():
        made = await follow(service, org, f"{site.url}/help", refresh_interval_seconds=3600)
        idle = await follow(service, org, f"{site.url}/help")
        async with service.database.transaction(org) as conn:
            await conn.execute("update source set next_refresh_at = now() where org_id = $1 and id = $2", org, made.id)
        await service.run_cron(SOURCE_SCHEDULE)
        async with asyncio.timeout(30):
            while (await source(service, org, made.id)).version == made.version:
                await asyncio.sleep(0.05)
        assert (await source(service, org, idle.id)).version == idle.version
        assert not idle.HasField("next_refresh_time")


async def test_a_redirect_to_an_inner_address_is_not_followed(service: Service, org: str, site: Site) -> None:
    site.pages["/away"] = (302, "text/plain", "")
    site.location = "http://169.254.169.254/latest/meta-data"
    made = await follow(service, org, f"{site.url}/away")

    assert (made.status, made.error_code, made.page_count) == (pb.SOURCE_STATUS_FAILED, "forbidden_address", 0)


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"url": "ftp://example.com/a"}, "#/url", "invalid_url"),
        ({"url": "http://me:secret@example.com"}, "#/url", "credentials_in_url"),
        ({"url": "http://10.0.0.1/a"}, "#/url", "forbidden_address"),
        ({"url": "http://example.com", "refresh_interval_seconds": 10}, "#/refreshIntervalSeconds", "out_of_range"),
        ({"url": "http://example.com", "tags": ["x" * 51]}, "#/tags/0", "too_long"),
    ],
)
async def test_a_source_that_cannot_be_followed_is_refused(
    service: Service, org: str, fields: dict[str, Any], pointer: str, code: str
) -> None:
    with as_org(org), pytest.raises(InvalidArgument) as refused:
        await service.sources.CreateSource(pb.CreateSourceRequest(source=pb.Source(**fields)), None)
    assert [(found.pointer, found.code) for found in refused.value.violations] == [(pointer, code)]


async def test_a_source_is_changed_listed_and_seen_by_its_organization_alone(
    service: Service, org: str, site: Site
) -> None:
    site.put("/help", "Words.")
    made = await follow(service, org, f"{site.url}/help")
    with as_org(org):
        change = pb.UpdateSourceRequest(source=pb.Source(id=made.id, refresh_interval_seconds=600))
        change.update_mask.paths.append("refresh_interval_seconds")
        changed = (await service.sources.UpdateSource(change, None)).source
        current = await service.sources.ListSources(pb.ListSourcesRequest(status=pb.SOURCE_STATUS_CURRENT), None)
        failed = await service.sources.ListSources(pb.ListSourcesRequest(status=pb.SOURCE_STATUS_FAILED), None)
    assert changed.version == made.version + 1
    assert changed.HasField("next_refresh_time")
    assert ([known.id for known in current.sources], list(failed.sources)) == ([made.id], [])
    with pytest.raises(NotFound):
        await source(service, new_id("org"), made.id)
    with as_org(org, scopes=("knowledge:read",)), pytest.raises(PermissionDenied):
        await service.sources.RefreshSource(pb.RefreshSourceRequest(id=made.id), None)
