"""The journey with the client that openapi-python-client makes: `python journey.py URL KEY DOCUMENT`.

Runs in the environment of the generators, where no type of ours is known.
"""

from __future__ import annotations

import importlib
import io
import sys
import time
from pathlib import Path
from typing import Any

# Seconds within which a document is read; the embedding model of a suite that has just started takes most of it.
_PATIENCE = 120.0


def main(url: str, key: str, document: Path) -> int:
    sys.path.insert(0, str(Path.cwd()))
    models, types = importlib.import_module("opc.models"), importlib.import_module("opc.types")
    client = importlib.import_module("opc").AuthenticatedClient(
        base_url=url, token=key, raise_on_unexpected_status=True, timeout=60
    )

    def ask(operation: str, *path: str, **options: Any) -> Any:
        module = importlib.import_module(f"opc.api.{operation}")
        answer = module.sync_detailed(*path, client=client, **options)
        if answer.status_code >= 300:
            raise AssertionError(f"{operation}: {answer.parsed}")
        return answer.parsed

    agent = ask("agents.create_agent", body=models.AgentBody(name="Reception", system_prompt="You are helpful."))
    patch = models.AgentPatch(first_message="Good morning.")
    assert ask("agents.update_agent", agent.id, body=patch).first_message == "Good morning."
    assert ask("agents.publish_agent", agent.id, body=models.PublishBody()).version == 1
    assert [row.id for row in ask("agents.list_agents", limit=1).data] == [agent.id]
    with document.open("rb") as opened:
        file = types.File(payload=io.BytesIO(opened.read()), file_name=document.name, mime_type="application/pdf")
    upload = ask("documents.upload_document", body=models.UploadDocumentBody(document=file))
    deadline = time.monotonic() + _PATIENCE
    while (status := ask("documents.get_status", upload.document_id)).status == "processing":
        assert time.monotonic() < deadline, status
        time.sleep(0.2)
    assert status.status == "completed", status
    found = ask("knowledge.search", body=models.SearchBody(query="Where do the Americas lie?"))
    assert found.results[0].entry_id == upload.entry_id
    money = models.TopUpBody(amount="10.00")
    topped_up = ask("billing.create_top_up", body=money, idempotency_key=upload.document_id)
    assert ask("billing.get_balance").posted == topped_up.balance.posted
    assert ask("realtime.create_token").channels
    assert ask("call_logs.list_calls").total == 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
