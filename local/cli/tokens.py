"""`make token SERVICE=agent`: a principal of the first organization, to call one service's gRPC by hand.

Signed with the gateway's local key and valid for a minute, like those that the gateway mints itself.
"""

from __future__ import annotations

from libs.rpc.principal import Principal, PrincipalMinter
from local.runner.folder import Folder
from local.runner.keys import Keys
from suite.services import SERVICES


class NoToken(RuntimeError):
    """No principal can be made; the message says why."""


def principal_token(folder: Folder, service: str) -> str:
    if service not in SERVICES:
        raise NoToken(f"Which service? SERVICE=one of {', '.join(SERVICES)}.")
    known = folder.read_credentials()
    if not known:
        raise NoToken("There is no organization yet: `make up` makes the first one.")
    # The owner's rights, because it is the owner's own machine.
    principal = Principal(org_id=known["organizationId"], role="owner", scopes=frozenset({"*"}), issuer="gateway")
    return PrincipalMinter(Keys.load_or_create(folder.keys_file).signing_key("gateway")).mint(principal, service)
