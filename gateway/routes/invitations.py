"""Invitations: those of the organization, and what the holder of a mailed link does with it."""

from starlette.responses import Response

from echosenseix.identity.v1 import members_pb2 as pb
from gateway.http import lists, responses
from gateway.http.derived import fill
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.routes.accounts import mailed_page
from gateway.schemas.accounts import organization_from_proto, user_from_proto
from gateway.schemas.members import (
    ROLES,
    AcceptBody,
    Accepted,
    Invitation,
    InvitationBody,
    InvitationPreview,
    InvitationQuery,
    PreviewBody,
    invitation_from_proto,
    preview_from_proto,
)
from gateway.state import ApiRequest

_TOKEN = "ivt_01m8f59rmhe3d9h1wxp49bjd1g." + "0" * 64


async def create_invitation(request: ApiRequest[NoQuery, InvitationBody]) -> Response:
    body = request.data
    answer = await request.app.clients.members.CreateInvitation(
        pb.CreateInvitationRequest(
            email=body.email, role=ROLES[body.role], accept_url=mailed_page(request, "accept-invitation")
        )
    )
    shown = invitation_from_proto(answer.invitation)
    return responses.created(shown, f"/api/users/invitations/{shown.id}")


async def list_invitations(request: ApiRequest[InvitationQuery, NoBody]) -> Response:
    message = pb.ListInvitationsRequest(page=lists.page_request(request.query))
    fill(message, request.query)
    answer = await request.app.clients.members.ListInvitations(message)
    return lists.page_response(request, answer.invitations, answer.page_info, invitation_from_proto)


async def get_invitation(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.members.GetInvitation(pb.GetInvitationRequest(id=request.id))
    return responses.ok(invitation_from_proto(answer.invitation))


async def resend_invitation(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.members.ResendInvitation(
        pb.ResendInvitationRequest(id=request.id, accept_url=mailed_page(request, "accept-invitation"))
    )
    return responses.ok(invitation_from_proto(answer.invitation))


async def invitation_subject(request: ApiRequest[NoQuery, NoBody]) -> int:
    """An invitation has no versions; 1 says that there is one."""
    await request.app.clients.members.GetInvitation(pb.GetInvitationRequest(id=request.id))
    return 1


async def revoke_invitation(request: ApiRequest[NoQuery, NoBody]) -> Response:
    await request.app.clients.members.RevokeInvitation(pb.RevokeInvitationRequest(id=request.id))
    return responses.no_content()


async def preview_invitation(request: ApiRequest[NoQuery, PreviewBody]) -> Response:
    answer = await request.app.clients.members.PreviewInvitation(
        pb.PreviewInvitationRequest(token=request.data.token, ip_address=request.client_address)
    )
    return responses.ok(preview_from_proto(answer))


async def accept_invitation(request: ApiRequest[NoQuery, AcceptBody]) -> Response:
    body = request.data
    answer = await request.app.clients.members.AcceptInvitation(
        pb.AcceptInvitationRequest(
            token=body.token,
            password=body.password,
            first_name=body.first_name,
            last_name=body.last_name,
            ip_address=request.client_address,
        )
    )
    accepted = Accepted(user=user_from_proto(answer.user), organization=organization_from_proto(answer.organization))
    return responses.created(accepted, "/api/auth/user")


ROUTES = tagged(
    "Users",
    Route(
        "POST",
        "/api/users/invitations",
        create_invitation,
        "Invite an address by mail",
        scope="members:write",
        body=InvitationBody,
        example={"email": "grace@example.com", "role": "member"},
        answer=Invitation,
        status=201,
        problems=(409, 429),
    ),
    Route(
        "GET",
        "/api/users/invitations",
        list_invitations,
        "List invitations",
        scope="members:read",
        query=InvitationQuery,
        answer=list[Invitation],
    ),
    Route(
        "GET",
        "/api/users/invitations/{id}",
        get_invitation,
        "Read an invitation",
        scope="members:read",
        answer=Invitation,
    ),
    Route(
        "POST",
        "/api/users/invitations/{id}/resend",
        resend_invitation,
        "Mail an invitation again and let it work for another week",
        scope="members:write",
        answer=Invitation,
        subject=invitation_subject,
        problems=(409, 429),
    ),
    Route(
        "DELETE",
        "/api/users/invitations/{id}",
        revoke_invitation,
        "Revoke an invitation",
        scope="members:write",
        status=204,
        problems=(409,),
    ),
    Route(
        "POST",
        "/api/invitations/preview",
        preview_invitation,
        "Read what a mailed invitation offers",
        public=True,
        limits="auth",
        body=PreviewBody,
        example={"token": _TOKEN},
        answer=InvitationPreview,
        keyed=False,
        problems=(404, 429),
    ),
    Route(
        "POST",
        "/api/invitations/accept",
        accept_invitation,
        "Join an organization by a mailed invitation",
        public=True,
        limits="auth",
        body=AcceptBody,
        example={"token": _TOKEN, "password": "correct horse battery", "firstName": "Grace", "lastName": "Hopper"},
        answer=Accepted,
        status=201,
        problems=(404, 409, 429),
    ),
)
