"""The service as its own processes: migrate, serve and work, spoken to over gRPC as the gateway does."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest

from echosenseix.common.v1 import common_pb2
from echosenseix.common.v1.common_pb2_grpc import StatusServiceStub
from echosenseix.knowledge.v1 import knowledge_pb2 as pb
from echosenseix.knowledge.v1.knowledge_pb2_grpc import KnowledgeServiceStub
from libs.errors import AppError
from libs.ids import new_id
from libs.rpc.channel import open_channel
from libs.rpc.context import acting_as
from libs.rpc.principal import Principal, PrincipalMinter
from local.runner.keys import Keys
from local.stores import Stores, run_sql
from tests.integration.services.processes import run_command, running


@pytest.fixture(scope="module")
def environment(
    stores: Stores,
    service_environment: Callable[[str, str], dict[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, str]:
    run_sql(stores.postgres_admin_dsn, "create database knowledge_processes")
    blobs = tmp_path_factory.mktemp("blobs")
    return {**service_environment("knowledge", "knowledge_processes"), "BLOBS_URL": f"file://{blobs}"}


async def test_a_document_goes_through_real_processes(environment: dict[str, str], keys: Keys) -> None:
    assert await asyncio.to_thread(run_command, "knowledge", "migrate", environment) == 0
    with running("knowledge", "serve", environment) as served, running("knowledge", "work", environment):
        minter = PrincipalMinter(keys.signing_key("gateway"))
        channel = open_channel(served["grpc"], audience="knowledge", minter=minter)
        try:
            await _journey(KnowledgeServiceStub(channel), StatusServiceStub(channel), served)
        finally:
            await channel.close()


async def _journey(knowledge: Any, status: Any, served: dict[str, str]) -> None:
    org = new_id("org")
    with acting_as(Principal(org_id=org, user_id="usr_1", role="owner", scopes=frozenset({"*"}), issuer="gateway")):
        made = await knowledge.UploadDocument(_parts("hours.md", b"# Hours\n\nThe shop opens at nine."), timeout=30)
        async with asyncio.timeout(120):
            while await _status(knowledge, made.document_id) == pb.DOCUMENT_STATUS_PROCESSING:
                await asyncio.sleep(0.05)
        answer = await knowledge.Search(pb.SearchRequest(query="When can I come in?"), timeout=30)
        assert [hit.heading for hit in answer.hits] == ["Hours"]
        content = b""
        async for part in knowledge.DownloadDocument(pb.DownloadDocumentRequest(id=made.document_id), timeout=30):
            content += part.data
        assert content == b"# Hours\n\nThe shop opens at nine."
        with pytest.raises(AppError) as refused:
            await knowledge.UploadDocument(_parts("empty.md", b""), timeout=30)
        assert refused.value.reason == "empty_document"
        health = await status.GetStatus(common_pb2.GetStatusRequest(), timeout=5)
        assert (health.service, health.database_connected, health.queue_connected) == ("knowledge", True, True)
    with pytest.raises(grpc.aio.AioRpcError) as unsigned:
        await _unsigned(served["grpc"])
    assert unsigned.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def _status(knowledge: Any, document_id: str) -> int:
    return int((await knowledge.GetDocument(pb.GetDocumentRequest(id=document_id), timeout=5)).document.status)


async def _parts(name: str, content: bytes) -> AsyncIterator[pb.UploadDocumentRequest]:
    yield pb.UploadDocumentRequest(metadata=pb.UploadMetadata(file_name=name))
    for start in range(0, len(content), 10):
        yield pb.UploadDocumentRequest(data=content[start : start + 10])


async def _unsigned(address: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        await KnowledgeServiceStub(channel).GetStats(pb.GetStatsRequest(), timeout=5)


def test_a_process_that_never_embeds_stays_light() -> None:
    """Neither the model nor the libraries around it are loaded before the first text."""
    heavy = ("onnxruntime", "tokenizers", "liteparse", "xberg", "numpy", "selectolax")
    code = f"import services.knowledge.__main__, sys; sys.exit(' '.join(set({heavy}) & set(sys.modules)) or 0)"

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert (found.returncode, found.stderr) == (0, "")
