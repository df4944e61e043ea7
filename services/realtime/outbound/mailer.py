"""E-mail by SMTP when a server is named; otherwise the caller keeps it in the mailbox."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

TIMEOUT_SECONDS = 20.0


class Mailer:
    def __init__(self, smtp_url: str, sender: str) -> None:
        """`smtp_url`: smtp://host:587 (STARTTLS if offered) or smtps://user:password@host:465 (TLS from the start)."""
        self._url = urlsplit(smtp_url)
        self._sender = sender

    async def send(self, message_id: str, recipients: Sequence[str], subject: str, text: str) -> None:
        """Raises OSError or smtplib.SMTPException. The Message-ID is stable, so that a repeat can be recognised."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self._sender, ", ".join(recipients), subject
        message["Message-ID"] = f"<{message_id}@echosenseix>"
        message.set_content(text)
        await asyncio.to_thread(self._deliver, message)

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
