"""Registration, login, logout and sessions."""

from typing import Any

from starlette.responses import Response

from echosenseix.identity.v1 import identity_pb2 as pb
from gateway.http import lists, responses
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.http.wire import time_to_json
from gateway.schemas.accounts import (
    CurrentUser,
    LoggedIn,
    LoginBody,
    RegisterBody,
    Registered,
    ResendBody,
    Rotated,
    Session,
    SessionQuery,
    Verified,
    VerifyBody,
    current_user_from_proto,
    logged_in_from_proto,
    organization_from_proto,
    session_from_proto,
    user_from_proto,
)
from gateway.state import ApiRequest

# Seconds that a device stays known: half a year. Shorter: more owners meet the stricter login limit.
_DEVICE_SECONDS = 180 * 24 * 3600


async def register(request: ApiRequest[NoQuery, RegisterBody]) -> Response:
    body = request.data
    answer = await request.app.clients.identity.Register(
        pb.RegisterRequest(
            email=body.email,
            password=body.password,
            first_name=body.first_name,
            last_name=body.last_name,
            organization_name=body.organization_name,
            ip_address=request.client_address,
            verification_url=mailed_page(request, "verify-email"),
        )
    )
    if answer.verification_mailed:
        return responses.accepted(Registered(user=None, organization=None), "/api/auth/user")
    registered = Registered(
        user=user_from_proto(answer.user), organization=organization_from_proto(answer.organization)
    )
    return responses.created(registered, "/api/auth/user")


async def verify_registration(request: ApiRequest[NoQuery, VerifyBody]) -> Response:
    answer = await request.app.clients.identity.VerifyRegistration(
        pb.VerifyRegistrationRequest(token=request.data.token, ip_address=request.client_address)
    )
    verified = Verified(user=user_from_proto(answer.user), organization=organization_from_proto(answer.organization))
    return responses.created(verified, "/api/auth/user")


async def resend_verification(request: ApiRequest[NoQuery, ResendBody]) -> Response:
    await request.app.clients.identity.ResendVerification(
        pb.ResendVerificationRequest(
            email=request.data.email,
            ip_address=request.client_address,
            verification_url=mailed_page(request, "verify-email"),
        )
    )
    return responses.no_content()


async def login(request: ApiRequest[NoQuery, LoginBody]) -> Response:
    answer = await request.app.clients.identity.Login(
        pb.LoginRequest(
            email=request.data.email,
            password=request.data.password,
            ip_address=request.client_address,
            user_agent=user_agent_of(request),
            device_token=device_token_of(request),
        )
    )
    return answer_login(request, answer)


def mailed_page(request: ApiRequest[Any, Any], name: str) -> str:
    """The address of a page that a mail links to. The token follows in the fragment, which browsers send to no server
    and no log keeps."""
    return f"{request.app.settings.public_url.rstrip('/')}/app#/{name}/"


def user_agent_of(request: ApiRequest[Any, Any]) -> str:
    """Cut, because a header may be far longer than what a list of sessions shows."""
    return request.header("user-agent")[:400]


def device_token_of(request: ApiRequest[Any, Any]) -> str:
    """What an earlier login gave the device, or empty."""
    return request.cookies.get(request.app.settings.device_cookie_name, "")[:100]


def answer_login(request: ApiRequest[Any, Any], answer: pb.LoginResponse) -> Response:
    """The session with its cookies; 202 while the second factor is missing."""
    if answer.challenge:
        return responses.ok(logged_in_from_proto(answer), 202)
    response = responses.ok(logged_in_from_proto(answer))
    # The token is also in the body, for clients that hold no cookies.
    set_session_cookie(request, response, answer.token)
    if answer.device_token:
        _set_device_cookie(request, response, answer.device_token)
    return response


async def logout(request: ApiRequest[NoQuery, NoBody]) -> Response:
    await request.app.clients.identity.Logout(pb.LogoutRequest())
    # The revocation event reaches every instance; this one need not wait for it.
    request.app.principals.forget(request.principal.session_id)
    response = responses.no_content()
    set_session_cookie(request, response, "")
    return response


async def get_current_user(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.identity.GetCurrentUser(pb.GetCurrentUserRequest())
    return responses.ok(current_user_from_proto(answer, request.principal.scopes, request.principal.grants))


async def list_sessions(request: ApiRequest[SessionQuery, NoBody]) -> Response:
    answer = await request.app.clients.identity.ListSessions(
        pb.ListSessionsRequest(page=lists.page_request(request.query))
    )
    return lists.page_response(request, answer.sessions, answer.page_info, session_from_proto)


async def revoke_session(request: ApiRequest[NoQuery, NoBody]) -> Response:
    await request.app.clients.identity.RevokeSession(pb.RevokeSessionRequest(id=request.id))
    request.app.principals.forget(request.id)
    return responses.no_content()


async def revoke_other_sessions(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.identity.RevokeOtherSessions(pb.RevokeOtherSessionsRequest())
    for ended in answer.ids:
        request.app.principals.forget(ended)
    return responses.no_content()


async def rotate_session(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.identity.RotateSession(pb.RotateSessionRequest())
    response = responses.ok(Rotated(token=answer.token, expires_at=time_to_json(answer.expire_time)))
    set_session_cookie(request, response, answer.token)
    return response


def set_session_cookie(request: ApiRequest[Any, Any], response: Response, token: str) -> None:
    """Set the session cookie; an empty token removes it."""
    response.set_cookie(
        request.app.settings.cookie_name,
        token,
        # A session cookie of the browser: the service decides when the session ends.
        max_age=None if token else 0,
        path="/",
        httponly=True,
        secure=request.app.settings.over_tls,
        samesite="lax",
    )


def _set_device_cookie(request: ApiRequest[Any, Any], response: Response, token: str) -> None:
    """Recognize this device at its next login, so that failed logins of other clients do not lock it out."""
    response.set_cookie(
        request.app.settings.device_cookie_name,
        token,
        max_age=_DEVICE_SECONDS,
        path="/",
        httponly=True,
        secure=request.app.settings.over_tls,
        samesite="lax",
    )


ROUTES = tagged(
    "Accounts",
    Route(
        "POST",
        "/api/register",
        register,
        "Create an organization and its owner",
        public=True,
        limits="auth",
        body=RegisterBody,
        example={
            "email": "ada@example.com",
            "password": "correct horse battery",
            "firstName": "Ada",
            "lastName": "Lovelace",
            "organizationName": "Analytical Engines",
        },
        answer=Registered,
        status=201,
        also={202: "A mail was sent; the answer is the same for an address that is taken."},
        problems=(429,),
    ),
    Route(
        "POST",
        "/api/register/verify",
        verify_registration,
        "Create the account of a mailed link",
        public=True,
        limits="auth",
        body=VerifyBody,
        example={"token": "reg_01m8f59rmhe3d9h1wxp49bjd1g." + "0" * 64},
        answer=Verified,
        status=201,
        problems=(404, 429),
    ),
    Route(
        "POST",
        "/api/register/resend",
        resend_verification,
        "Mail the link of a registration again",
        public=True,
        limits="auth",
        body=ResendBody,
        example={"email": "ada@example.com"},
        status=204,
        keyed=False,
        problems=(429,),
    ),
    Route(
        "POST",
        "/api/login",
        login,
        "Open a session",
        public=True,
        limits="auth",
        body=LoginBody,
        example={"email": "ada@example.com", "password": "correct horse battery"},
        answer=LoggedIn,
        secret=True,
        also={202: "The account has a second factor: send the challenge and a code to /api/login/second-factor."},
        problems=(401, 403, 429),
        sets_cookie=True,
        keyed=False,
    ),
    Route("POST", "/api/logout", logout, "End the session", status=204, sets_cookie=True, keyed=False, problems=(409,)),
    Route("GET", "/api/auth/user", get_current_user, "Read the current user", answer=CurrentUser),
    Route(
        "GET",
        "/api/auth/sessions",
        list_sessions,
        "List the user's sessions",
        query=SessionQuery,
        answer=list[Session],
        problems=(403,),
    ),
    Route(
        "DELETE",
        "/api/auth/sessions",
        revoke_other_sessions,
        "End all sessions of the user but this one",
        status=204,
    ),
    Route(
        "POST",
        "/api/auth/sessions/rotate",
        rotate_session,
        "Give this session a new token; the old one ends 30 seconds later",
        answer=Rotated,
        secret=True,
        sets_cookie=True,
        keyed=False,
        problems=(409,),
    ),
    Route("DELETE", "/api/auth/sessions/{id}", revoke_session, "End a session of the user", status=204),
)
