"""White-label settings and hosts to and from protos."""

from __future__ import annotations

from echosenseix.identity.v1 import white_label_pb2 as pb
from libs.rpc.times import to_timestamp
from services.identity.domain.white_label import Host, WhiteLabel


def white_label_from_proto(message: pb.WhiteLabel) -> WhiteLabel:
    """What a request may set; the logo is apart."""
    return WhiteLabel(
        product_name=message.product_name,
        primary_color=message.primary_color,
        primary_text_color=message.primary_text_color,
        background_color=message.background_color,
        text_color=message.text_color,
        support_email=message.support_email,
        support_url=message.support_url,
    )


def white_label_to_proto(settings: WhiteLabel) -> pb.WhiteLabel:
    return pb.WhiteLabel(
        product_name=settings.product_name,
        logo_digest=settings.logo_digest,
        primary_color=settings.primary_color,
        primary_text_color=settings.primary_text_color,
        background_color=settings.background_color,
        text_color=settings.text_color,
        support_email=settings.support_email,
        support_url=settings.support_url,
        version=settings.version,
        update_time=to_timestamp(settings.updated_at),
    )


def host_to_proto(host: Host) -> pb.WhiteLabelHost:
    return pb.WhiteLabelHost(
        id=host.id,
        host=host.host,
        record_name=host.record_name,
        record_value=host.proof,
        verify_time=to_timestamp(host.verified_at),
        create_time=to_timestamp(host.created_at),
        check_time=to_timestamp(host.checked_at),
        missing_since_time=to_timestamp(host.missing_since),
    )
