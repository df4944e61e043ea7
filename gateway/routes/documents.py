"""Documents: streaming upload, processing status, download."""

from collections.abc import AsyncIterator

from starlette.responses import Response

from echosenseix.knowledge.v1 import knowledge_pb2 as pb
from gateway.http import lists, responses
from gateway.http.body_stream import send_stream
from gateway.http.derived import fill
from gateway.http.downloads import Download, download_response
from gateway.http.multipart import FilePart, UploadForm
from gateway.http.query import words
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.schemas.knowledge import DocumentQuery, DocumentStatus, Upload, document_status_from_proto
from gateway.state import ApiRequest
from suite.formats import LANGUAGE

# The form's field as the paper's API named it.
_FILE_FIELD = "document"
# Any other field is refused, so that a misspelled one is noticed.
_FIELDS = frozenset(("title", "category", "tags", "entryId", "language"))
# Seconds for a whole upload or download, so that 25 MiB pass at 100 KB/s.
_TRANSFER_SECONDS = 300.0


async def upload_document(request: ApiRequest[NoQuery, NoBody]) -> Response:
    form = UploadForm(request, file_field=_FILE_FIELD, allowed=_FIELDS)
    file = await form.open()
    answer = await send_stream(request.app.clients.knowledge.UploadDocument, _messages(form, file))
    shown = Upload(document_id=answer.document_id, entry_id=answer.entry_id, job_id=answer.job_id, status="processing")
    return responses.accepted(shown, f"/api/jobs/{answer.job_id}")


async def _messages(form: UploadForm, file: FilePart) -> AsyncIterator[pb.UploadDocumentRequest]:
    """Metadata, bytes, and metadata again when fields followed the file."""
    first = _metadata(form, file)
    yield pb.UploadDocumentRequest(metadata=first)
    async for chunk in form.chunks():
        yield pb.UploadDocumentRequest(data=chunk)
    last = _metadata(form, file)
    # Browsers send fields in the order of the form, which may put them after the file.
    if last != first:
        yield pb.UploadDocumentRequest(metadata=last)


def _metadata(form: UploadForm, file: FilePart) -> pb.UploadMetadata:
    return pb.UploadMetadata(
        file_name=file.file_name,
        media_type=file.media_type,
        title=form.text("title"),
        category=form.text("category"),
        tags=[tag for text in form.texts("tags") for tag in words(text)],
        entry_id=form.text("entryId"),
        language=form.text("language"),
    )


async def list_documents(request: ApiRequest[DocumentQuery, NoBody]) -> Response:
    message = pb.ListDocumentsRequest(page=lists.page_request(request.query))
    fill(message, request.query)
    answer = await request.app.clients.knowledge.ListDocuments(message)
    return lists.page_response(request, answer.documents, answer.page_info, document_status_from_proto)


async def get_status(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.knowledge.GetDocument(pb.GetDocumentRequest(id=request.id))
    return responses.ok(document_status_from_proto(answer.document))


async def download_document(request: ApiRequest[NoQuery, NoBody]) -> Response:
    stream = request.app.clients.knowledge.DownloadDocument(pb.DownloadDocumentRequest(id=request.id))
    # The first message has the metadata, before any byte: a missing document is a 404 and not a broken download.
    document = (await anext(aiter(stream))).document
    file = Download(
        media_type=document.media_type or "application/octet-stream",
        size=document.byte_size,
        tag=document.id,
        file_name=document.file_name,
    )
    return await download_response(request, file, (message.data async for message in stream if message.data))


_FORM = {
    "type": "object",
    "required": [_FILE_FIELD],
    "additionalProperties": False,
    "properties": {
        _FILE_FIELD: {
            "type": "string",
            "format": "binary",
            "description": "pdf, docx, xlsx, pptx, odt, epub, txt, md, html, csv, rtf or eml; "
            "png, jpg and tiff where text recognition is installed",
        },
        "title": {"type": "string", "maxLength": 200},
        "category": {"type": "string", "maxLength": 100},
        "tags": {"type": "string", "description": "Comma list; the field may be repeated."},
        "language": {
            "type": "string",
            "pattern": f"^$|{LANGUAGE}",
            "description": "BCP 47; detected when it is left out.",
        },
        "entryId": {"type": "string", "description": "Replace the document of this entry."},
    },
}

ROUTES = tagged(
    "Documents",
    Route(
        "POST",
        "/api/documents/upload",
        upload_document,
        "Upload a document",
        scope="knowledge:write",
        body_kind="multipart",
        limits="upload",
        form=_FORM,
        answer=Upload,
        status=202,
        seconds=_TRANSFER_SECONDS,
        problems=(404,),
    ),
    Route(
        "GET",
        "/api/documents",
        list_documents,
        "List documents",
        scope="knowledge:read",
        query=DocumentQuery,
        answer=list[DocumentStatus],
    ),
    Route(
        "GET",
        "/api/documents/{id}/status",
        get_status,
        "Read the progress of processing",
        scope="knowledge:read",
        answer=DocumentStatus,
    ),
    Route(
        "GET",
        "/api/documents/{id}/download",
        download_document,
        "Download a document as it was uploaded",
        scope="knowledge:read",
        media_type="application/octet-stream",
        seconds=_TRANSFER_SECONDS,
        etag="content",
    ),
)
