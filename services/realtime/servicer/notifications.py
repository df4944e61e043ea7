"""NotificationService: which mails the user of a session gets, and the links that end them."""

from __future__ import annotations

from echosenseix.realtime.v1 import realtime_pb2 as pb
from echosenseix.realtime.v1 import realtime_pb2_grpc as pb_grpc
from libs.errors import FailedPrecondition
from libs.postgres import Connection, Database
from libs.postgres.idempotency import run_write
from libs.rpc.context import current_principal
from libs.rpc.masks import Editable
from libs.rpc.principal import Principal
from services.realtime.domain.notifications import Notification
from services.realtime.outbound.unsubscribe import UnsubscribeLinks
from services.realtime.storage import opt_outs

EDITABLE: Editable[pb.Notifications] = Editable({kind: kind for kind in Notification})


class NotificationServicer(pb_grpc.NotificationServiceServicer):
    def __init__(self, database: Database, links: UnsubscribeLinks) -> None:
        self._database = database
        self._links = links

    async def GetNotifications(
        self, request: pb.GetNotificationsRequest, context: object
    ) -> pb.GetNotificationsResponse:
        who = _signed_in()
        ended = await opt_outs.of_user(self._database, who.org_id, who.user_id)
        return pb.GetNotificationsResponse(notifications=_notifications(ended))

    async def UpdateNotifications(
        self, request: pb.UpdateNotificationsRequest, context: object
    ) -> pb.UpdateNotificationsResponse:
        who = _signed_in()
        EDITABLE.read(request.update_mask)
        ended = set(await opt_outs.of_user(self._database, who.org_id, who.user_id))

        async def act(conn: Connection) -> pb.UpdateNotificationsResponse:
            for name in request.update_mask.paths:
                kind, sent = Notification(name), getattr(request.notifications, name)
                await opt_outs.write(conn, who.org_id, who.user_id, kind, sent=sent)
                ended.discard(kind) if sent else ended.add(kind)
            return pb.UpdateNotificationsResponse(notifications=_notifications(ended))

        return await run_write(self._database, who.org_id, act, pb.UpdateNotificationsResponse)

    async def Unsubscribe(self, request: pb.UnsubscribeRequest, context: object) -> pb.UnsubscribeResponse:
        recipient = self._links.read(request.token)
        async with self._database.transaction(recipient.org_id) as conn:
            await opt_outs.end_for_owner(conn, recipient.org_id, recipient.user_id, recipient.kind)
        return pb.UnsubscribeResponse()


def _signed_in() -> Principal:
    who = current_principal()
    if not who.session_id:
        raise FailedPrecondition("session_required", "This needs a session. Sign in; an API key cannot do it.")
    if who.home_org_id:
        raise FailedPrecondition("own_organization_required", "Do this in your own organization, without the header.")
    return who


def _notifications(ended: set[Notification] | frozenset[Notification]) -> pb.Notifications:
    return pb.Notifications(**{kind.value: kind not in ended for kind in Notification})
