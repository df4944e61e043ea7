"""The customers of an agency as the API shows them."""

from typing import Annotated, Literal

from msgspec import Meta

from gateway.http.derived import patch_of
from gateway.http.schema import SORT, Body, ListQuery, limits
from gateway.schemas.accounts import TIME_ZONE, OrganizationState
from gateway.schemas.shapes import Name

_TimeZone = Annotated[
    str, limits(maxLength=64, pattern=TIME_ZONE), Meta(description="IANA name, such as Europe/Berlin.")
]


class ChildBody(Body):
    name: Annotated[Name, Meta(description="The name of the customer.")]
    time_zone: _TimeZone = "UTC"


class ChildEdit(Body):
    """What an agency changes of a customer."""

    name: Annotated[Name, Meta(description="The name of the customer.")]
    time_zone: _TimeZone
    status: Annotated[
        Literal["active", "suspended"],
        Meta(description="Suspended: no session and no API key of the customer works until it is active again."),
    ]


ChildPatch = patch_of("ChildPatch", ChildEdit)


class ChildQuery(ListQuery):
    sort: Annotated[Literal["createdAt", "name"], SORT] | None = None
    status: Annotated[OrganizationState, Meta(description="Only customers in this state.")] | None = None
