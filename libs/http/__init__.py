"""HTTP to addresses that customers name (webhooks, sources) and to providers, never to an internal address.

`addresses` says which addresses are public, `backend` connects only to a vetted one, `client` bounds time and size,
`api` calls another company's API. The HTTP library is imported with the first client, so that checking a URL costs a
process nothing.
"""

from libs.http.addresses import forbidden_address
from libs.http.client import Answer, OutboundClient

__all__ = ["Answer", "OutboundClient", "forbidden_address"]
