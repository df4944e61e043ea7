"""Types that several resources use. No schema knows protos' services."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from gateway.http.schema import Answer, limits
from providers.registry import OWN_SYSTEM, PROVIDERS
from suite.formats import LANGUAGE
from suite.services import SERVICES

# Fields that only the suite sets.
SERVER_SET = frozenset(
    (
        "id",
        "organizationId",
        "userId",
        "role",
        "status",
        "version",
        "publishedVersion",
        "createdAt",
        "updatedAt",
        "createdBy",
        "balance",
        "available",
        "reserved",
        "posted",
        "secret",
        "prefix",
        "passwordHash",
        "isAdmin",
        "scopes",
    )
)

Tags = Annotated[list[Annotated[str, limits(minLength=1, maxLength=50)]], limits(maxItems=50)]
# Tags of a filter, separated by commas; all of them must be present.
TagFilter = Annotated[str, Meta(min_length=1, max_length=1000, description="Comma list; all must be present.")]
SearchText = Annotated[str, Meta(min_length=1, max_length=200, description="Words to look for.")]
Name = Annotated[str, limits(minLength=1, maxLength=200)]
Language = Annotated[
    str, limits(maxLength=200, pattern=f"^$|{LANGUAGE}"), Meta(description="BCP 47, such as en or pt-BR.")
]
EmailAddress = Annotated[str, limits(maxLength=254, format="email")]
# Of a registration, an invitation, a new password or a new address.
MailedToken = Annotated[str, limits(minLength=1, maxLength=200), Meta(description="What follows # in the mailed link.")]
Text = Annotated[str, limits(maxLength=2000)]
JsonObject = dict[str, Any]
if TYPE_CHECKING:
    ProviderName = str
    CallProvider = str
    ServiceName = str
else:  # a type checker reads only literals that are written out
    ProviderName = Literal[tuple(PROVIDERS)]
    # Also calls that the organization's own system runs.
    CallProvider = Literal[(*PROVIDERS, OWN_SYSTEM)]
    ServiceName = Literal[tuple(SERVICES)]


class Money(Answer):
    """An amount as a decimal string, never a float."""

    amount: str
    currency: str
