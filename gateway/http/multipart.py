"""A file in a multipart form (RFC 7578), streamed as it arrives: memory holds one network chunk at a time.

Form fields may come before or after the file; those after it are known only at its end. It must not know the file's
meaning.
"""

import unicodedata
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from gateway.http.body_stream import read_pieces
from gateway.http.json_body import invalid_fields
from gateway.http.request import Request, too_large
from libs.errors import InvalidArgument, Violation, step

# Bytes of an uploaded file, as the README promises. Larger: longer extraction, which has 30 s.
FILE_LIMIT = 25 * 1024 * 1024
# Bytes of one message to the service. Far below gRPC's 8 MiB limit; smaller chunks cost more calls per upload.
CHUNK_BYTES = 64 * 1024
# The form's fields and part headers may take this much beside the file.
_FORM_BYTES = 256 * 1024
# Bytes of all field values together: a title, tags and a description.
_FIELDS_LIMIT = 64 * 1024
# Parts of a form. Far more than the upload form has; each costs parser callbacks.
_MAX_PARTS = 64
# Characters of a file name: the limit of common file systems.
_MAX_NAME = 255


@dataclass(slots=True)
class FilePart:
    """The form's description of its file."""

    file_name: str
    media_type: str


@dataclass(slots=True)
class _Part:
    headers: dict[str, str] = field(default_factory=dict)
    name: str = ""
    is_file: bool = False
    text: bytearray = field(default_factory=bytearray)


class UploadForm:
    """One form with one file in the field `file_field`. Use: `file = await form.open()`, then iterate `form.chunks()`
    to its end; `fields` are complete after that."""

    def __init__(
        self,
        request: Request[Any, Any, Any],
        *,
        file_field: str,
        allowed: frozenset[str],
        limit: int = FILE_LIMIT,
    ) -> None:
        self._limit = limit
        self.fields: dict[str, list[str]] = {}
        self._stream = read_pieces(request, limit, beside=_FORM_BYTES)
        self._file_field = file_field
        self._allowed = allowed
        self._file: FilePart | None = None
        self._file_ended = False
        self._ended = False
        self._ready: list[bytes] = []
        self._sizes = {"file": 0, "fields": 0}
        self._parts = 0
        self._part = _Part()
        self._header: list[bytearray] = [bytearray(), bytearray()]
        self._parser = self._new_parser(request.header("content-type"))

    async def open(self) -> FilePart:
        """Read up to the file's first byte."""
        while self._file is None and not self._ended:
            await self._read()
        if self._file is None:
            raise invalid_fields(Violation(f"#/{self._file_field}", "required", "Send the file in this field."))
        return self._file

    async def chunks(self) -> AsyncIterator[bytes]:
        """The file's bytes in pieces of at most 64 KiB; reads the form to its end."""
        while True:
            ready, self._ready = self._ready, []
            for piece in ready:
                for start in range(0, len(piece), CHUNK_BYTES):
                    yield piece[start : start + CHUNK_BYTES]
            if self._ended:
                return
            await self._read()

    def texts(self, name: str) -> list[str]:
        """All values of a field."""
        return self.fields.get(name, [])

    def text(self, name: str) -> str:
        """The one value of a field, or the empty string."""
        values = self.texts(name)
        if len(values) > 1:
            raise invalid_fields(Violation(f"#/{name}", "repeated", "Send this field once."))
        return values[0] if values else ""

    async def _read(self) -> None:
        chunk = await anext(self._stream, b"")
        try:
            if chunk:
                self._parser.write(chunk)
            else:
                self._parser.finalize()
                if not self._ended:
                    raise _malformed()
        except MultipartParseError:
            raise _malformed() from None

    def _count(self, what: str, size: int, limit: int) -> None:
        self._sizes[what] += size
        if self._sizes[what] > limit:
            raise too_large(self._limit if what != "fields" else _FIELDS_LIMIT)

    def _new_parser(self, content_type: str) -> MultipartParser:
        media_type, options = parse_options_header(content_type)
        if media_type != b"multipart/form-data":
            raise InvalidArgument(
                "unsupported_media_type",
                "Send the file as multipart/form-data.",
                metadata={"accept": "multipart/form-data"},
            )
        boundary = options.get(b"boundary")
        if not boundary or len(boundary) > 200:
            raise _malformed()
        return MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > _MAX_PARTS:
            raise InvalidArgument("invalid_multipart", f"Send at most {_MAX_PARTS} fields.")
        self._part = _Part()

    def _on_header_end(self) -> None:
        name, value = (bytes(piece).decode("latin-1") for piece in self._header)
        self._part.headers[name.lower()] = value
        self._header = [bytearray(), bytearray()]

    def _on_headers_finished(self) -> None:
        part = self._part
        _, options = parse_options_header(part.headers.get("content-disposition", ""))
        part.name = _utf8(options.get(b"name", b""))
        part.is_file = b"filename" in options
        if part.name == self._file_field and part.is_file:
            if self._file is not None:
                raise invalid_fields(Violation(f"#/{part.name}", "repeated", "Send one file."))
            media_type = part.headers.get("content-type", "").partition(";")[0].strip().lower()
            self._file = FilePart(_safe_name(_utf8(options[b"filename"])), media_type[:_MAX_NAME])
        elif part.is_file or part.name not in self._allowed:
            raise invalid_fields(*self._misplaced(part))

    def _misplaced(self, part: _Part) -> Iterator[Violation]:
        """Why a part is refused, and which field it seems to be meant as."""
        if part.name != self._file_field:
            known = ", ".join((self._file_field, *sorted(self._allowed)))
            detail = f"This field does not exist or takes no file. The fields are: {known}."
            yield Violation(step("#", part.name[:100]), "unknown_field", detail)
        if self._file is None and (part.is_file or part.name == self._file_field):
            yield Violation(f"#/{self._file_field}", "required", "Send the file in this field, with a file name.")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._part.is_file:
            self._count("file", end - start, self._limit)
            self._ready.append(data[start:end])
        else:
            self._count("fields", end - start, _FIELDS_LIMIT)
            self._part.text.extend(data[start:end])

    def _on_part_end(self) -> None:
        if not self._part.is_file:
            self.fields.setdefault(self._part.name, []).append(_utf8(bytes(self._part.text)))

    def _on_end(self) -> None:
        self._ended = True


def _utf8(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidArgument("invalid_utf8", "Send the form's fields in valid UTF-8.") from None
    if "\x00" in text:
        raise invalid_fields(Violation("#", "invalid_text", "Remove NUL characters."))
    return unicodedata.normalize("NFC", text)


def _safe_name(file_name: str) -> str:
    """The last segment of the path that the client sent, without control characters."""
    name = file_name.replace("\\", "/").rpartition("/")[2]
    name = "".join(character for character in name if character.isprintable()).strip()
    return name[-_MAX_NAME:] if name.strip(".") else "document"


def _malformed() -> InvalidArgument:
    return InvalidArgument("invalid_multipart", "Send a well-formed multipart/form-data body.")
