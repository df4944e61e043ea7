"""Which mails the person gets in the organization of the session, and the address to which mail programs post to end
them."""

from typing import Any

from starlette.responses import Response

from echosenseix.realtime.v1 import realtime_pb2 as pb
from gateway.http import responses
from gateway.http.merge_patch import apply_patch
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.schemas.notifications import (
    Notifications,
    NotificationsPatch,
    notifications_from_proto,
)
from gateway.state import ApiRequest

# A sealed token names its key, the organization, the user and the kind of mail: 251 characters today.
_TOKEN = {"token": {"type": "string", "minLength": 1, "maxLength": 512}}
# The form that a mail program posts (RFC 8058).
_FORM = {
    "type": "object",
    "properties": {
        "List-Unsubscribe": {
            "type": "string", "const": "One-Click", "description": "What the mail's List-Unsubscribe-Post says."
        }
    },
}  # fmt: skip
# Bytes of the form at most. A mail program sends 26.
_FORM_LIMIT = 1024


async def get_notifications(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.notifications.GetNotifications(pb.GetNotificationsRequest())
    return responses.ok(notifications_from_proto(answer.notifications))


async def update_notifications(request: ApiRequest[NoQuery, Any]) -> Response:
    message = pb.UpdateNotificationsRequest()
    message.update_mask.CopyFrom(apply_patch(request.data, message.notifications))
    answer = await request.app.clients.notifications.UpdateNotifications(message)
    return responses.ok(notifications_from_proto(answer.notifications))


async def unsubscribe(request: ApiRequest[NoQuery, NoBody]) -> Response:
    await request.app.clients.notifications.Unsubscribe(pb.UnsubscribeRequest(token=request.path_params["token"]))
    return responses.no_content()


ROUTES = tagged(
    "Accounts",
    Route(
        "GET",
        "/api/me/notifications",
        get_notifications,
        "Read which mails the user gets",
        answer=Notifications,
        problems=(409,),
    ),
    Route(
        "PATCH",
        "/api/me/notifications",
        update_notifications,
        "Choose which mails the user gets",
        body=NotificationsPatch,
        body_kind="merge_patch",
        example={"creditLow": False},
        answer=Notifications,
        problems=(409,),
    ),
    Route(
        "POST",
        "/api/notifications/unsubscribe/{token}",
        unsubscribe,
        "End mails of one kind by the link of such a mail (RFC 8058)",
        public=True,
        limits="unsubscribe",
        body_kind="raw",
        form=_FORM,
        body_limit=_FORM_LIMIT,
        repeatable=True,
        keyed=False,
        status=204,
        segments=_TOKEN,
        problems=(404,),
    ),
)
