from collections.abc import AsyncIterator

import pytest
from starlette.responses import Response

from gateway.http.downloads import Download, download_response
from tests.unit.gateway.requests import make_request

FILE = Download(media_type="text/plain", size=6, tag="doc_1", in_parts=True)


async def chunks() -> AsyncIterator[bytes]:
    yield b"abc"
    yield b"def"


async def answer(file: Download = FILE, **headers: str) -> Response:
    return await download_response(make_request(headers), file, chunks())


@pytest.mark.parametrize("header", ['"doc_1"', 'W/"doc_1"', '"doc_0", "doc_1"', "*"])
async def test_a_reader_who_has_the_file_is_told_so(header: str) -> None:
    told = await answer(if_none_match=header)
    assert (told.status_code, told.body, told.headers["etag"]) == (304, b"", '"doc_1"')


@pytest.mark.parametrize("header", ["", '"doc_2"', "doc_1", '"1"'])
async def test_any_other_reader_gets_it(header: str) -> None:
    assert (await answer(if_none_match=header)).status_code == 200


async def test_parts_are_offered_only_of_files_that_come_in_parts() -> None:
    assert (await answer()).headers["accept-ranges"] == "bytes"
    whole = Download(media_type="text/plain", size=6, tag="doc_1")
    assert (await answer(whole)).headers["accept-ranges"] == "none"
