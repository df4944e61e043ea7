"""White-label settings as the API shows them: to the organization, and to strangers who open a page of its host."""

from typing import Annotated, Any

from msgspec import Meta

from echosenseix.identity.v1 import white_label_pb2 as pb
from gateway.http.derived import patch_of, reader
from gateway.http.schema import Answer, Body, CreatedListQuery, Query, limits
from gateway.schemas.shapes import EmailAddress

_Color = Annotated[str, limits(maxLength=7, pattern="^#[0-9A-Fa-f]{6}$")]
_Name = Annotated[str, limits(minLength=1, maxLength=60), Meta(description="What pages and mails call the product.")]
_Primary = Annotated[_Color, Meta(description="The color of buttons and links.")]
_PrimaryText = Annotated[_Color, Meta(description="The color of text on it; the contrast is at least 4.5:1.")]
_Background = Annotated[_Color, Meta(description="The color of pages.")]
_Text = Annotated[_Color, Meta(description="The color of their text; the contrast is at least 4.5:1.")]
_SupportEmail = Annotated[EmailAddress, Meta(description="Where users ask for help; empty for nowhere.")]
_SupportUrl = Annotated[
    str, limits(maxLength=500, format="uri"), Meta(description="A page with help, by https; empty for none.")
]


class WhiteLabelBody(Body):
    product_name: _Name
    primary_color: _Primary
    primary_text_color: _PrimaryText
    background_color: _Background
    text_color: _Text
    support_email: _SupportEmail
    support_url: _SupportUrl


class WhiteLabelEdit(WhiteLabelBody):
    """What an organization changes of how it shows itself."""

    logo: Annotated[
        str,
        limits(maxLength=360_000, contentEncoding="base64"),
        Meta(description="A PNG, JPEG or WebP image of at most 256 KiB and 2,048 pixels, in base64; empty for none."),
    ]


WhiteLabelPatch = patch_of("WhiteLabelPatch", WhiteLabelEdit)


class PublicWhiteLabel(Answer):
    """How pages of a host look. A host that is no organization's looks as the suite does."""

    product_name: Annotated[str, Meta(description="What pages and mails call the product.")]
    logo_url: Annotated[str | None, Meta(description="The logo; null for none. Its bytes never change.")]
    primary_color: Annotated[str, Meta(description="The color of buttons and links.")]
    primary_text_color: Annotated[str, Meta(description="The color of text on it.")]
    background_color: Annotated[str, Meta(description="The color of pages.")]
    text_color: Annotated[str, Meta(description="The color of their text.")]
    support_email: Annotated[str | None, Meta(description="Where users ask for help.")]
    support_url: Annotated[str | None, Meta(description="A page with help.")]


class WhiteLabel(PublicWhiteLabel):
    version: int
    updated_at: str | None


class PublicQuery(Query):
    host: (
        Annotated[
            str, Meta(max_length=253, description="The host of the page, as the browser has it; this one without it.")
        ]
        | None
    ) = None


class HostBody(Body):
    host: Annotated[
        str, limits(minLength=4, maxLength=253), Meta(description="The name of a host, such as app.example.com.")
    ]


class HostQuery(CreatedListQuery):
    """The hosts of an organization."""


class Host(Answer):
    """A host whose pages show the organization once its TXT record was found."""

    id: str
    host: Annotated[str, Meta(description="The name of the host, as DNS has it.")]
    record_name: Annotated[str, Meta(description="The name of the TXT record that proves the host.")]
    record_value: Annotated[str, Meta(description="The value of that record.")]
    verified_at: Annotated[str | None, Meta(description="When the record was found; null before.")]
    checked_at: Annotated[str | None, Meta(description="When the record was looked at last; daily, once proved.")]
    missing_since: Annotated[
        str | None, Meta(description="Since when the record is gone; after seven days the host is lost.")
    ]
    created_at: str | None


host_from_proto = reader(
    Host,
    pb.WhiteLabelHost,
    {"verified_at": "verify_time", "checked_at": "check_time", "missing_since": "missing_since_time"},
)


def public_from_proto(message: pb.WhiteLabel, logos: str) -> PublicWhiteLabel:
    """`logos` is the address under which logos are read by their digest."""
    return PublicWhiteLabel(**_shown(message, logos))


def white_label_from_proto(message: pb.WhiteLabel, logos: str) -> WhiteLabel:
    updated_at = _updated(message).updated_at
    return WhiteLabel(**_shown(message, logos), version=message.version, updated_at=updated_at)


class _Updated(Answer):
    updated_at: str | None


_updated = reader(_Updated, pb.WhiteLabel)


def _shown(message: pb.WhiteLabel, logos: str) -> dict[str, Any]:
    return {
        "product_name": message.product_name,
        "logo_url": f"{logos}/{message.logo_digest}" if message.logo_digest else None,
        "primary_color": message.primary_color,
        "primary_text_color": message.primary_text_color,
        "background_color": message.background_color,
        "text_color": message.text_color,
        "support_email": message.support_email or None,
        "support_url": message.support_url or None,
    }
