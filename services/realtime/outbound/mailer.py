"""E-mail by SMTP when a server is named; otherwise the caller keeps it in the mailbox."""

from __future__ import annotations

import asyncio
import email.policy
import smtplib
import ssl
from email.message import EmailMessage
from urllib.parse import SplitResult, unquote, urlsplit

from libs.config import ConfigError
from libs.errors import Unavailable
from services.realtime.domain.mail_html import as_html
from services.realtime.domain.mail_templates import MailText

# Seconds for one mail; greylisting servers answer late.
TIMEOUT_SECONDS = 20.0
# Characters of a header's line (RFC 5322). The usual 78 would fold the address to unsubscribe into encoded words, which
# a field of addresses must not have (RFC 2047, 5), so that mail programs would not find it.
_LINES = email.policy.default.clone(max_line_length=998)


class MailRefused(Exception):
    """The server refuses the sender, the recipient or the message for good (5xx)."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Mailer:
    def __init__(self, smtp_url: str, sender: str) -> None:
        """`smtp_url`: smtp://host:587 (STARTTLS if offered) or smtps://user:password@host:465 (TLS from the start)."""
        self._url = urlsplit(smtp_url)
        self._sender = sender
        if self._url.scheme not in ("smtp", "smtps") or not self._url.hostname or not _has_valid_port(self._url):
            raise ConfigError(["SMTP_URL: write smtp://host:587 or smtps://user:password@host:465"])

    async def send(self, message_id: str, recipient: str, mail: MailText, one_click: str = "") -> None:
        """Raises MailRefused, or Unavailable when a repeat may help. The Message-ID is stable, so that a repeat can be
        recognized. `one_click` is the address to which mail programs post to end such mails (RFC 8058)."""
        message = EmailMessage(_LINES)
        message["From"], message["To"], message["Subject"] = self._sender, recipient, mail.subject
        message["Message-ID"] = f"<{message_id}@echosenseix>"
        # No program answers it with a note of absence (RFC 3834).
        message["Auto-Submitted"] = "auto-generated"
        if one_click:
            message["List-Unsubscribe"] = f"<{one_click}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(mail.text)
        message.add_alternative(as_html(mail.subject, mail.text), subtype="html")
        try:
            await asyncio.to_thread(self._deliver, message)
        except OSError as error:
            # Raised without their cause, whose text has addresses and the server's response and would be logged.
            if code := _refusal(error):
                raise MailRefused(code) from None
            raise Unavailable("mail_server_unavailable", f"The mail server failed: {_shown(error)}.") from None

    def _deliver(self, message: EmailMessage) -> None:
        with self._connect() as server:
            if self._url.username:
                server.login(unquote(self._url.username), unquote(self._url.password or ""))
            server.send_message(message)

    def _connect(self) -> smtplib.SMTP:
        host = self._url.hostname or "localhost"
        context = ssl.create_default_context()
        if self._url.scheme == "smtps":
            return smtplib.SMTP_SSL(host, self._url.port or 465, timeout=TIMEOUT_SECONDS, context=context)
        server = smtplib.SMTP(host, self._url.port or 587, timeout=TIMEOUT_SECONDS)
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=context)
        return server


def _has_valid_port(url: SplitResult) -> bool:
    try:
        return url.port != 0
    except ValueError:
        return False


def _refusal(error: OSError) -> int:
    """The code of a permanent refusal, else 0. A refused login is not permanent: the operator can correct it."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        return codes[0] if all(code >= 500 for code in codes) else 0
    if isinstance(error, (smtplib.SMTPSenderRefused, smtplib.SMTPDataError)) and error.smtp_code >= 500:
        return error.smtp_code
    return 0


def _shown(error: OSError) -> str:
    code = getattr(error, "smtp_code", None)
    return f"it answered {code}" if code else type(error).__name__
