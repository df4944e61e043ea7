"""What a person changes of its own account, as the API shows it."""

from typing import Annotated

from msgspec import Meta

from echosenseix.identity.v1 import accounts_pb2 as pb
from gateway.http.derived import reader
from gateway.http.schema import Answer, Body, limits
from gateway.schemas.accounts import Organization, User
from gateway.schemas.shapes import EmailAddress, MailedToken

_NewPassword = Annotated[str, limits(minLength=8, maxLength=200)]
_OldPassword = Annotated[str, limits(maxLength=200), Meta(description="The current password.")]
_Code = Annotated[
    str, limits(minLength=6, maxLength=40), Meta(description="Six digits of the authenticator, or a recovery code.")
]


class ForgotBody(Body):
    email: Annotated[EmailAddress, Meta(description="The address of the account.")]


class ResetBody(Body):
    token: MailedToken
    password: Annotated[_NewPassword, Meta(description="The new password.")]


class PasswordBody(Body):
    current_password: _OldPassword
    new_password: Annotated[_NewPassword, Meta(description="The new password.")]


class EmailBody(Body):
    email: Annotated[EmailAddress, Meta(description="The new address.")]
    password: _OldPassword


class ConfirmEmailBody(Body):
    token: MailedToken


class BeginBody(Body):
    password: _OldPassword


class CodeBody(Body):
    code: _Code


class SecondFactorBody(Body):
    challenge: Annotated[str, limits(minLength=1, maxLength=200), Meta(description="As the login answered it.")]
    code: _Code


class SwitchBody(Body):
    organization_id: Annotated[str, limits(maxLength=64), Meta(description="An organization of your account.")]


class OpenIdBody(Body):
    code: Annotated[str, limits(minLength=1, maxLength=2000), Meta(description="As the provider's redirect has it.")]
    state: Annotated[str, limits(minLength=1, maxLength=200), Meta(description="As the provider's redirect has it.")]


class LoginMethods(Answer):
    password: Annotated[bool, Meta(description="Whether passwords sign in.")]
    openid: Annotated[bool, Meta(description="Whether the installation has an OpenID provider.")]
    openid_issuer: Annotated[str | None, Meta(description="The host of the OpenID provider.")]


class OpenIdLink(Answer):
    id: str
    issuer: Annotated[str, Meta(description="The OpenID provider.")]
    subject: Annotated[str, Meta(description="The provider's own id of you.")]
    enabled: Annotated[bool, Meta(description="Whether it signs in as your account.")]
    created_at: str | None


class OpenIdLinks(Answer):
    data: list[OpenIdLink]


class OpenIdLinkBody(Body):
    enabled: Annotated[bool, Meta(description="false: the provider signs in as your account no more.")]
    password: Annotated[str, limits(maxLength=200), Meta(description="Of your account, which stays the way in.")]


class OpenIdStart(Answer):
    authorization_url: Annotated[str, Meta(description="Where the browser signs in. It comes back to /openid.")]


class SecondFactor(Answer):
    enabled: Annotated[bool, Meta(description="Whether each login needs a code.")]
    enabled_at: Annotated[str | None, Meta(description="Since when; null while it is off.")]
    recovery_codes_left: Annotated[int, Meta(description="Recovery codes that were not used.")]


class SecondFactorSecret(Answer):
    """For an authenticator; it counts once a code of it was confirmed."""

    secret: Annotated[str, Meta(description="Base32, as authenticators take it.")]
    otpauth_url: Annotated[str, Meta(description="The same for a QR code.")]


class RecoveryCodes(Answer):
    """Shown once."""

    recovery_codes: Annotated[list[str], Meta(description="Each replaces the authenticator once.")]


class Membership(Answer):
    organization: Organization
    user: User
    current: Annotated[bool, Meta(description="Whether it is the organization of this session.")]


class Memberships(Answer):
    data: list[Membership]


second_factor_from_proto = reader(SecondFactor, pb.GetSecondFactorResponse, {"enabled_at": "enable_time"})
openid_link_from_proto = reader(OpenIdLink, pb.OpenIdLink)
membership_from_proto = reader(Membership, pb.Membership)
