"""Names of hosts, and their proof: a TXT record that only who controls the zone can set. It knows no organization."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver
import idna

from libs.errors import InvalidArgument, Unavailable, Violation

from .domain.white_label import PROOF_LABEL

# Seconds for an answer from all resolvers together. A request waits for it.
LOOKUP_SECONDS = 4.0
# TXT records of a name that are read. Others put theirs beside ours, but not so many.
_MOST_RECORDS = 50


class HostProofs:
    def __init__(self, resolvers: Sequence[str]) -> None:
        """`resolvers` as host:port; none: those of the machine."""
        self._resolver = dns.asyncresolver.Resolver(configure=not resolvers)
        if resolvers:
            parts = [entry.rpartition(":") for entry in resolvers]
            self._resolver.nameservers = [
                dns.nameserver.Do53Nameserver(host.strip("[]"), int(port)) for host, _, port in parts
            ]

    async def find(self, name: str) -> frozenset[str]:
        """The values of the name's TXT records, none where there is no such name. Raises
        Unavailable("dns_unavailable") when no resolver answers."""
        try:
            answer = await self._resolver.resolve(name, "TXT", lifetime=LOOKUP_SECONDS, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return frozenset()
        except dns.exception.DNSException:
            raise Unavailable("dns_unavailable", "The host's DNS does not answer. Try again later.") from None
        records = list(answer)[:_MOST_RECORDS]
        return frozenset(b"".join(record.strings).decode(errors="replace") for record in records)


def read_host(text: str) -> str:
    """The name of a host as DNS has it: lower case, IDNA 2008; raises with the violation."""
    try:
        host = idna.encode(text.strip().rstrip(".").lower(), uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        host = ""
    if not host or "." not in host or len(host) + len(PROOF_LABEL) + 1 > 253 or _is_address(host):
        found = Violation("#/host", "invalid_format", "Must be the name of a host, such as app.example.com.")
        raise InvalidArgument("validation_failed", "The host is not valid.", violations=[found])
    return host


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.rpartition(".")[2].isdecimal()
    return True
