"""The bases of schemas (body, query, answer) and the problem document.

A body refuses unknown fields; an answer names all its keys, so none has a default. It must not know any resource.
"""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta


class Body(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """A JSON body."""

    # The sets of JSON members of which one must be there as a whole, for the document; the handler checks.
    one_of: ClassVar[tuple[tuple[str, ...], ...]] = ()


class Query(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """A query string."""


class Answer(msgspec.Struct, rename="camel", kw_only=True, gc=False):
    """A JSON response; every key is always present."""


class NoBody(Body):
    """The request has no body, or an empty object."""


class NoQuery(Query):
    """The request has no query parameters."""


class AnyQuery(Query):
    """A page that a browser opens. Its script reads what it knows. The site that sent the browser adds its own: an
    OpenID provider its answer (`code`, `state`, `iss`), a mailing its marks."""


SORT = Meta(description="The field that orders the rows.")


class PageQuery(Query):
    """The parameters of every list. Each list declares by what it can be sorted."""

    page: Annotated[int, Meta(ge=1, description="1-based; page x limit reaches the first 10,000 rows.")] | None = None
    limit: Annotated[int, Meta(ge=1, le=200, description="Rows of the answer.")] | None = None
    cursor: (
        Annotated[str, Meta(max_length=4096, description="Empty to begin; then nextCursor of the last answer.")] | None
    ) = None
    sort: Annotated[str, SORT] | None = None
    order: Annotated[Literal["asc", "desc"], Meta(description="The direction of `sort`.")] | None = None
    include_total: Annotated[bool, Meta(description="Count the rows in cursor mode too.")] | None = None


class WholeListQuery(PageQuery):
    """The parameters of a list that is held as a whole."""

    sort: Annotated[Literal["name"], SORT] | None = None


class ListQuery(PageQuery):
    """The parameters of a list whose rows have a time of creation."""

    created_at_ge: Annotated[datetime, Meta(tz=True, description="Created at or after.")] | None = None
    created_at_lt: Annotated[datetime, Meta(tz=True, description="Created before.")] | None = None


class CreatedListQuery(ListQuery):
    """The parameters of a list that is sorted by creation alone."""

    sort: Annotated[Literal["createdAt"], SORT] | None = None


# Holds such limits until the document is written, because msgspec would let its own win.
LIMITS = "x-limits"


def limits(**keywords: Any) -> Meta:
    """Limits that the owning service checks; here they only appear in the document."""
    return Meta(extra_json_schema={LIMITS: keywords})


class Violation(msgspec.Struct):
    """One field to fix in a request."""

    pointer: str
    code: str
    detail: str


class Problem(msgspec.Struct, rename="camel", kw_only=True):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: list[Violation]
