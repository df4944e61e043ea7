"""Which mails a person gets, as the API shows and takes it."""

from typing import Annotated

from msgspec import Meta

from echosenseix.realtime.v1 import realtime_pb2 as pb
from gateway.http.derived import patch_of, reader
from gateway.http.schema import Answer, Body

_CreditLow = Annotated[bool, Meta(description="Whether to mail when the organization's credit runs low.")]
_WebhookEndpoints = Annotated[bool, Meta(description="Whether to mail when a webhook endpoint fails or was disabled.")]


class Notifications(Answer):
    """The mails go to owners of an organization; for others the choice waits."""

    credit_low: _CreditLow
    webhook_endpoints: _WebhookEndpoints


class NotificationsBody(Body):
    credit_low: _CreditLow
    webhook_endpoints: _WebhookEndpoints


NotificationsPatch = patch_of("NotificationsPatch", NotificationsBody)
notifications_from_proto = reader(Notifications, pb.Notifications)
