"""A person's own account: passwords, the address, the second factor, and the organizations that it is in."""

from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response

from echosenseix.identity.v1 import accounts_pb2 as pb
from gateway.http import responses
from gateway.http.routing import Route, tagged
from gateway.http.schema import NoBody, NoQuery
from gateway.routes.accounts import answer_login, device_token_of, mailed_page, user_agent_of
from gateway.schemas.accounts import LoggedIn
from gateway.schemas.own_account import (
    BeginBody,
    CodeBody,
    ConfirmEmailBody,
    EmailBody,
    ForgotBody,
    LoginMethods,
    Memberships,
    OpenIdBody,
    OpenIdLink,
    OpenIdLinkBody,
    OpenIdLinks,
    OpenIdStart,
    PasswordBody,
    RecoveryCodes,
    ResetBody,
    SecondFactor,
    SecondFactorBody,
    SecondFactorSecret,
    SwitchBody,
    membership_from_proto,
    openid_link_from_proto,
    second_factor_from_proto,
)
from gateway.state import ApiRequest

_TOKEN = "tok_01m8f59rmhe3d9h1wxp49bjd1g." + "0" * 64

_FLOW_COOKIE = "echosenseix_openid"
# Seconds that a browser may take at the provider: FLOW_LIFETIME of services/identity/openid.py, which refuses more.
_FLOW_SECONDS = 600


async def forgot_password(request: ApiRequest[NoQuery, ForgotBody]) -> Response:
    await request.app.clients.accounts.RequestPasswordReset(
        pb.RequestPasswordResetRequest(
            email=request.data.email,
            ip_address=request.client_address,
            reset_url=mailed_page(request, "reset-password"),
        )
    )
    return responses.no_content()


async def reset_password(request: ApiRequest[NoQuery, ResetBody]) -> Response:
    body = request.data
    await request.app.clients.accounts.ResetPassword(
        pb.ResetPasswordRequest(token=body.token, password=body.password, ip_address=request.client_address)
    )
    return responses.no_content()


async def change_password(request: ApiRequest[NoQuery, PasswordBody]) -> Response:
    await request.app.clients.accounts.ChangePassword(
        pb.ChangePasswordRequest(current_password=request.data.current_password, new_password=request.data.new_password)
    )
    return responses.no_content()


async def change_email(request: ApiRequest[NoQuery, EmailBody]) -> Response:
    await request.app.clients.accounts.RequestEmailChange(
        pb.RequestEmailChangeRequest(
            email=request.data.email, password=request.data.password, confirm_url=mailed_page(request, "confirm-email")
        )
    )
    return responses.no_content()


async def confirm_email(request: ApiRequest[NoQuery, ConfirmEmailBody]) -> Response:
    await request.app.clients.accounts.ConfirmEmailChange(
        pb.ConfirmEmailChangeRequest(token=request.data.token, ip_address=request.client_address)
    )
    return responses.no_content()


async def get_second_factor(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.accounts.GetSecondFactor(pb.GetSecondFactorRequest())
    return responses.ok(second_factor_from_proto(answer))


async def begin_second_factor(request: ApiRequest[NoQuery, BeginBody]) -> Response:
    answer = await request.app.clients.accounts.BeginSecondFactor(
        pb.BeginSecondFactorRequest(password=request.data.password)
    )
    return responses.ok(SecondFactorSecret(secret=answer.secret, otpauth_url=answer.otpauth_url))


async def confirm_second_factor(request: ApiRequest[NoQuery, CodeBody]) -> Response:
    answer = await request.app.clients.accounts.ConfirmSecondFactor(
        pb.ConfirmSecondFactorRequest(code=request.data.code)
    )
    return responses.ok(RecoveryCodes(recovery_codes=list(answer.recovery_codes)))


async def replace_recovery_codes(request: ApiRequest[NoQuery, CodeBody]) -> Response:
    answer = await request.app.clients.accounts.ReplaceRecoveryCodes(
        pb.ReplaceRecoveryCodesRequest(code=request.data.code)
    )
    return responses.ok(RecoveryCodes(recovery_codes=list(answer.recovery_codes)))


async def disable_second_factor(request: ApiRequest[NoQuery, CodeBody]) -> Response:
    await request.app.clients.accounts.DisableSecondFactor(pb.DisableSecondFactorRequest(code=request.data.code))
    return responses.no_content()


async def verify_second_factor(request: ApiRequest[NoQuery, SecondFactorBody]) -> Response:
    answer = await request.app.clients.accounts.VerifySecondFactor(
        pb.VerifySecondFactorRequest(
            challenge=request.data.challenge,
            code=request.data.code,
            ip_address=request.client_address,
            user_agent=user_agent_of(request),
            device_token=device_token_of(request),
        )
    )
    return answer_login(request, answer.login)


async def get_login_methods(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.accounts.GetLoginMethods(pb.GetLoginMethodsRequest())
    host = urlsplit(answer.openid_issuer).hostname
    return responses.ok(LoginMethods(password=True, openid=host is not None, openid_issuer=host))


async def begin_openid(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.accounts.BeginOpenIdLogin(
        pb.BeginOpenIdLoginRequest(redirect_url=_openid_page(request), ip_address=request.client_address)
    )
    response = responses.ok(OpenIdStart(authorization_url=answer.authorization_url))
    _set_flow_cookie(request, response, answer.flow)
    return response


async def complete_openid(request: ApiRequest[NoQuery, OpenIdBody]) -> Response:
    answer = await request.app.clients.accounts.CompleteOpenIdLogin(
        pb.CompleteOpenIdLoginRequest(
            code=request.data.code,
            state=request.data.state,
            flow=request.cookies.get(_FLOW_COOKIE, "")[:2_000],
            redirect_url=_openid_page(request),
            ip_address=request.client_address,
            user_agent=user_agent_of(request),
        )
    )
    response = answer_login(request, answer.login)
    _set_flow_cookie(request, response, "")
    return response


async def list_openid_links(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.accounts.ListOpenIdLinks(pb.ListOpenIdLinksRequest())
    return responses.ok(OpenIdLinks(data=[openid_link_from_proto(link) for link in answer.links]))


async def update_openid_link(request: ApiRequest[NoQuery, OpenIdLinkBody]) -> Response:
    answer = await request.app.clients.accounts.UpdateOpenIdLink(
        pb.UpdateOpenIdLinkRequest(id=request.id, enabled=request.data.enabled, password=request.data.password)
    )
    return responses.ok(openid_link_from_proto(answer.link))


def _openid_page(request: ApiRequest[Any, Any]) -> str:
    return f"{request.app.settings.public_url.rstrip('/')}/openid"


def _set_flow_cookie(request: ApiRequest[Any, Any], response: Response, flow: str) -> None:
    """Ties the answer of the provider to the browser that began; empty removes it."""
    response.set_cookie(
        _FLOW_COOKIE,
        flow,
        max_age=_FLOW_SECONDS if flow else 0,
        path="/api/login/openid",
        httponly=True,
        secure=request.app.settings.over_tls,
        samesite="lax",
    )


async def list_memberships(request: ApiRequest[NoQuery, NoBody]) -> Response:
    answer = await request.app.clients.accounts.ListMemberships(pb.ListMembershipsRequest())
    return responses.ok(Memberships(data=[membership_from_proto(one) for one in answer.memberships]))


async def switch_organization(request: ApiRequest[NoQuery, SwitchBody]) -> Response:
    answer = await request.app.clients.accounts.SwitchOrganization(
        pb.SwitchOrganizationRequest(
            organization_id=request.data.organization_id,
            ip_address=request.client_address,
            user_agent=user_agent_of(request),
        )
    )
    return answer_login(request, answer.login)


ROUTES = tagged(
    "Accounts",
    Route(
        "POST",
        "/api/auth/password/forgot",
        forgot_password,
        "Mail a link that sets a new password",
        public=True,
        limits="auth",
        body=ForgotBody,
        example={"email": "ada@example.com"},
        status=204,
        keyed=False,
        problems=(429,),
    ),
    Route(
        "POST",
        "/api/auth/password/reset",
        reset_password,
        "Set the password by a mailed link and end all sessions",
        public=True,
        limits="auth",
        body=ResetBody,
        example={"token": _TOKEN, "password": "correct horse battery"},
        status=204,
        keyed=False,
        problems=(404, 429),
    ),
    Route(
        "POST",
        "/api/auth/password",
        change_password,
        "Change the password and end all other sessions",
        body=PasswordBody,
        example={"currentPassword": "correct horse battery", "newPassword": "staple of another horse"},
        status=204,
        keyed=False,
        problems=(409, 429),
    ),
    Route(
        "POST",
        "/api/auth/email",
        change_email,
        "Mail a link to a new address of the account",
        body=EmailBody,
        example={"email": "ada@example.org", "password": "correct horse battery"},
        status=204,
        problems=(409, 429),
    ),
    Route(
        "POST",
        "/api/auth/email/confirm",
        confirm_email,
        "Take the new address of a mailed link, signed in as the account that asked",
        body=ConfirmEmailBody,
        example={"token": _TOKEN},
        status=204,
        keyed=False,
        problems=(404, 409, 429),
    ),
    Route(
        "GET",
        "/api/auth/second-factor",
        get_second_factor,
        "Read the state of the second factor",
        answer=SecondFactor,
        problems=(409,),
    ),
    Route(
        "POST",
        "/api/auth/second-factor",
        begin_second_factor,
        "Get a secret for an authenticator",
        body=BeginBody,
        example={"password": "correct horse battery"},
        answer=SecondFactorSecret,
        secret=True,
        problems=(409, 429),
    ),
    Route(
        "POST",
        "/api/auth/second-factor/confirm",
        confirm_second_factor,
        "Turn the second factor on with a first code",
        body=CodeBody,
        example={"code": "123456"},
        answer=RecoveryCodes,
        secret=True,
        problems=(409, 429),
    ),
    Route(
        "POST",
        "/api/auth/second-factor/recovery-codes",
        replace_recovery_codes,
        "Replace the recovery codes",
        body=CodeBody,
        example={"code": "123456"},
        answer=RecoveryCodes,
        secret=True,
        problems=(409, 429),
    ),
    Route(
        "POST",
        "/api/auth/second-factor/disable",
        disable_second_factor,
        "Turn the second factor off",
        body=CodeBody,
        example={"code": "123456"},
        status=204,
        problems=(409, 429),
    ),
    Route(
        "POST",
        "/api/login/second-factor",
        verify_second_factor,
        "Open a session with the challenge of a login and a code",
        public=True,
        limits="auth",
        body=SecondFactorBody,
        example={"challenge": _TOKEN, "code": "123456"},
        answer=LoggedIn,
        secret=True,
        sets_cookie=True,
        keyed=False,
        problems=(401, 403, 429),
    ),
    Route(
        "GET",
        "/api/login/methods",
        get_login_methods,
        "Read how people sign in here",
        public=True,
        limits="read",
        answer=LoginMethods,
    ),
    Route(
        "POST",
        "/api/login/openid",
        begin_openid,
        "Begin to sign in with the OpenID provider of the installation",
        public=True,
        limits="auth",
        answer=OpenIdStart,
        secret=True,
        sets_cookie=True,
        keyed=False,
        problems=(429, 501),
    ),
    Route(
        "POST",
        "/api/login/openid/complete",
        complete_openid,
        "Open a session with what the OpenID provider answered",
        public=True,
        limits="auth",
        body=OpenIdBody,
        example={"code": "SplxlOBeZQQYbYS6WxSbIA", "state": "af0ifjsldkj"},
        answer=LoggedIn,
        also={202: "The account has a second factor: send the challenge and a code to /api/login/second-factor."},
        secret=True,
        sets_cookie=True,
        keyed=False,
        problems=(401, 403, 429, 501),
    ),
    Route(
        "GET",
        "/api/auth/openid-links",
        list_openid_links,
        "List the OpenID identities that sign in as the account",
        answer=OpenIdLinks,
        problems=(409,),
    ),
    Route(
        "PUT",
        "/api/auth/openid-links/{id}",
        update_openid_link,
        "Turn an OpenID identity off or on; off ends all other sessions",
        body=OpenIdLinkBody,
        example={"enabled": False, "password": "correct horse battery"},
        answer=OpenIdLink,
        problems=(404, 409, 429),
    ),
    Route(
        "GET",
        "/api/auth/organizations",
        list_memberships,
        "List the organizations of the account",
        answer=Memberships,
        problems=(409,),
    ),
    Route(
        "POST",
        "/api/auth/organizations/switch",
        switch_organization,
        "Go on in another organization of the account; this session ends",
        body=SwitchBody,
        example={"organizationId": "org_01m8f59rmhe3d9h1wxp49bjd1g"},
        answer=LoggedIn,
        secret=True,
        sets_cookie=True,
        keyed=False,
        problems=(404, 409),
    ),
)
