"""The console's files in memory, each in every content coding, under a release name made of all their bytes.

A release name in the path makes every file immutable: a browser or CDN keeps it forever, and modules that import each
other by relative path always come from one release. Only the page itself is asked for again.
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import brotli
import zstandard

from gateway.http.compressed import MIN_BYTES

STATIC = Path(__file__).parent / "static"
PAGE = "index.html"
# The files of others with their packages, licenses and checksums, the names that modules import them by, and which of
# them only some pages load.
VENDORED = STATIC.parent / "vendored.json"
MEDIA_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
# The strongest levels: a file is compressed once in the life of a process and sent many times.
_COMPRESS: Mapping[str, Callable[[bytes], bytes]] = {
    "br": lambda body: bytes(brotli.compress(body, quality=11)),
    "zstd": lambda body: zstandard.ZstdCompressor(level=19).compress(body),
    "gzip": lambda body: gzip.compress(body, compresslevel=9, mtime=0),
}
# What a client is offered, the smallest first among equal weights.
CODINGS = tuple(_COMPRESS)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file. `forms` holds its compressed bytes by content coding, once they are made."""

    media_type: str
    body: bytes
    forms: dict[str, bytes] = field(default_factory=dict)

    def compress(self) -> None:
        if len(self.body) >= MIN_BYTES:
            self.forms.update({coding: pack(self.body) for coding, pack in _COMPRESS.items()})


@dataclass(frozen=True, slots=True)
class Console:
    """All files by their path under static/. `release` names their content; `page` is what /app answers.
    `import_map` is the page's only inline element, as a content security policy names it: by the hash of its text."""

    release: str
    page: Asset
    import_map: str
    files: Mapping[str, Asset]

    @classmethod
    def read(cls, folder: Path = STATIC) -> Self:
        files = {
            path.relative_to(folder).as_posix(): Asset(MEDIA_TYPES[path.suffix], path.read_bytes())
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        template = files.pop(PAGE)
        release = _digest(PAGE, template.body, *(part for name, file in files.items() for part in (name, file.body)))
        imports = _import_map(release)
        page = _page(template.body.decode(), release, imports, files)
        return cls(release, Asset(template.media_type, page.encode()), _policy_hash(imports), files)

    def compress(self) -> None:
        """Make the compressed forms, before the first request. Without them files go out as they are."""
        for asset in (self.page, *self.files.values()):
            asset.compress()


def _digest(*parts: str | bytes) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8) + content)
    return digest.hexdigest()


def _import_map(release: str) -> str:
    """Where the vendored packages are that modules import by name."""
    vendored = json.loads(VENDORED.read_bytes())
    known = {row["import"]: f"/app/{release}/vendor/{row['file']}" for row in vendored if "import" in row}
    return json.dumps({"imports": known}, separators=(",", ":"))


def _policy_hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _page(template: str, release: str, imports: str, files: Mapping[str, Asset]) -> str:
    """The page with the release in its paths. Modules are named ahead, so that they load in one round trip."""
    base = f"/app/{release}"
    lazy = {f"vendor/{row['file']}" for row in json.loads(VENDORED.read_bytes()) if row.get("lazy")}
    ours = [name for name in files if name.endswith(".js") and name not in lazy]
    preloads = "\n".join(f'<link rel="modulepreload" href="{base}/{name}">' for name in ours)
    for name, text in (("base", base), ("imports", imports), ("preloads", preloads)):
        template = template.replace("{{" + name + "}}", text)
    return template
