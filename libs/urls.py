"""What a URL setting may be: its schemes, and what production asks of it. Used by libs.config; reads nothing."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

# Without a host: a folder, and the memory of the process.
_LOCAL = ("file", "memory")
_POSTGRESQL = ("postgresql", "postgres")
# Those of examples and of other people's images.
_KNOWN_PASSWORDS = frozenset(
    ("admin", "changeme", "default", "guest", "local", "nats", "password", "postgres", "redis", "secret", "test")
)


@dataclass(frozen=True, slots=True)
class Url:
    """`schemes`: those that work. In production only `encrypted` ones do (of PostgreSQL with sslmode=verify-full), and
    with `password` the URL carries one that is not a known default. `many`: a comma list."""

    schemes: tuple[str, ...]
    encrypted: tuple[str, ...] = ()
    password: bool = False
    many: bool = False

    def problems(self, text: str) -> Iterator[str]:
        """Why this can never work; the setting's name goes in front."""
        urls = [part.strip() for part in text.split(",")] if self.many else [text]
        if not all(self._works(url) for url in urls):
            yield "must be a URL that begins with " + " or ".join(f"{scheme}://" for scheme in self.schemes)

    def refusals(self, text: str, plaintext_hosts: Collection[str]) -> Iterator[str]:
        """Why production does not take this, which works."""
        for url in (urlsplit(part.strip()) for part in (text.split(",") if self.many else [text])):
            if not self._is_encrypted(url) and (url.hostname or "") not in plaintext_hosts:
                yield f"must {self._wanted(url)} in production, or its host be in PLAINTEXT_ALLOW"
            if self.password and not url.password:
                yield "must carry a password in production"
            elif self.password and unquote(url.password or "").lower() in _KNOWN_PASSWORDS:
                yield "carries a default password, which production refuses"

    def _works(self, text: str) -> bool:
        try:
            url = urlsplit(text)
            port = url.port
        except ValueError:
            return False
        if url.scheme not in self.schemes or any(character.isspace() for character in text) or port == 0:
            return False
        if url.scheme == "file":
            return not url.netloc and url.path.startswith("/")
        return url.scheme in _LOCAL or bool(url.hostname)

    def _is_encrypted(self, url: SplitResult) -> bool:
        if url.scheme in _POSTGRESQL:
            return parse_qs(url.query).get("sslmode") == ["verify-full"]
        return url.scheme in (self.encrypted or self.schemes)

    def _wanted(self, url: SplitResult) -> str:
        if url.scheme in _POSTGRESQL:
            return "have sslmode=verify-full"
        return "begin with " + " or ".join(f"{scheme}://" for scheme in self.encrypted)


HTTP = Url(("http", "https"), encrypted=("https",))
POSTGRESQL = Url(_POSTGRESQL, encrypted=("verify-full",), password=True)
REDIS = Url(("redis", "rediss"), encrypted=("rediss",), password=True)
NATS = Url(("nats", "tls"), encrypted=("tls",), password=True, many=True)
WEBSOCKET = Url(("ws", "wss"), encrypted=("wss",))
# Credentials come from the environment; memory forgets what it was given.
OBJECTS = Url(("file", "memory", "s3", "gs", "az"), encrypted=("file", "s3", "gs", "az"))
SMTP = Url(("smtp", "smtps"))
