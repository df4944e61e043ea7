"""The operations of the API by group, for the sync and the async client. Written by `make python-client` from gateway/openapi.json."""

# ruff: noqa
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from . import models as m
from ..requests import Call, segment
from ..rows import AsyncRows, Rows
from ..uploads import Progress, Source

if TYPE_CHECKING:
    from ..client import AsyncClient, Client


class Accounts:
    def __init__(self, client: Client) -> None:
        self._client = client

    def register(self, body: m.RegisterBody, *, idempotency_key: str | None = None) -> m.Registered:
        """Create an organization and its owner."""
        return self._client.answer(m.Registered, Call("POST", "/api/register", json=body, keyed=True, idempotency_key=idempotency_key))

    def verify_registration(self, body: m.VerifyBody, *, idempotency_key: str | None = None) -> m.Verified:
        """Create the account of a mailed link."""
        return self._client.answer(m.Verified, Call("POST", "/api/register/verify", json=body, keyed=True, idempotency_key=idempotency_key))

    def resend_verification(self, body: m.ResendBody) -> None:
        """Mail the link of a registration again."""
        self._client.nothing(Call("POST", "/api/register/resend", json=body))

    def login(self, body: m.LoginBody) -> m.LoggedIn:
        """Open a session."""
        return self._client.answer(m.LoggedIn, Call("POST", "/api/login", json=body))

    def logout(self) -> None:
        """End the session."""
        self._client.nothing(Call("POST", "/api/logout"))

    def get_current_user(self) -> m.CurrentUser:
        """Read the current user."""
        return self._client.answer(m.CurrentUser, Call("GET", "/api/auth/user"))

    def list_sessions(self, *, limit: int | None = None, sort: Literal["createdAt", "lastSeenAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None) -> Rows[m.Session]:
        """List the user's sessions."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt}
        return self._client.rows(m.Session, "/api/auth/sessions", params, "cursor")

    def revoke_other_sessions(self, *, idempotency_key: str | None = None) -> None:
        """End all sessions of the user but this one."""
        self._client.nothing(Call("DELETE", "/api/auth/sessions", keyed=True, idempotency_key=idempotency_key))

    def rotate_session(self) -> m.Rotated:
        """Give this session a new token; the old one ends 30 seconds later."""
        return self._client.answer(m.Rotated, Call("POST", "/api/auth/sessions/rotate"))

    def revoke_session(self, id: str, *, idempotency_key: str | None = None) -> None:
        """End a session of the user."""
        self._client.nothing(Call("DELETE", f"/api/auth/sessions/{segment(id)}", keyed=True, idempotency_key=idempotency_key))

    def forgot_password(self, body: m.ForgotBody) -> None:
        """Mail a link that sets a new password."""
        self._client.nothing(Call("POST", "/api/auth/password/forgot", json=body))

    def reset_password(self, body: m.ResetBody) -> None:
        """Set the password by a mailed link and end all sessions."""
        self._client.nothing(Call("POST", "/api/auth/password/reset", json=body))

    def change_password(self, body: m.PasswordBody) -> None:
        """Change the password and end all other sessions."""
        self._client.nothing(Call("POST", "/api/auth/password", json=body))

    def change_email(self, body: m.EmailBody, *, idempotency_key: str | None = None) -> None:
        """Mail a link to a new address of the account."""
        self._client.nothing(Call("POST", "/api/auth/email", json=body, keyed=True, idempotency_key=idempotency_key))

    def confirm_email(self, body: m.ConfirmEmailBody) -> None:
        """Take the new address of a mailed link, signed in as the account that asked."""
        self._client.nothing(Call("POST", "/api/auth/email/confirm", json=body))

    def get_second_factor(self) -> m.SecondFactor:
        """Read the state of the second factor."""
        return self._client.answer(m.SecondFactor, Call("GET", "/api/auth/second-factor"))

    def begin_second_factor(self, body: m.BeginBody, *, idempotency_key: str | None = None) -> m.SecondFactorSecret:
        """Get a secret for an authenticator."""
        return self._client.answer(m.SecondFactorSecret, Call("POST", "/api/auth/second-factor", json=body, keyed=True, idempotency_key=idempotency_key))

    def confirm_second_factor(self, body: m.CodeBody, *, idempotency_key: str | None = None) -> m.RecoveryCodes:
        """Turn the second factor on with a first code."""
        return self._client.answer(m.RecoveryCodes, Call("POST", "/api/auth/second-factor/confirm", json=body, keyed=True, idempotency_key=idempotency_key))

    def replace_recovery_codes(self, body: m.CodeBody, *, idempotency_key: str | None = None) -> m.RecoveryCodes:
        """Replace the recovery codes."""
        return self._client.answer(m.RecoveryCodes, Call("POST", "/api/auth/second-factor/recovery-codes", json=body, keyed=True, idempotency_key=idempotency_key))

    def disable_second_factor(self, body: m.CodeBody, *, idempotency_key: str | None = None) -> None:
        """Turn the second factor off."""
        self._client.nothing(Call("POST", "/api/auth/second-factor/disable", json=body, keyed=True, idempotency_key=idempotency_key))

    def verify_second_factor(self, body: m.SecondFactorBody) -> m.LoggedIn:
        """Open a session with the challenge of a login and a code."""
        return self._client.answer(m.LoggedIn, Call("POST", "/api/login/second-factor", json=body))

    def get_login_methods(self) -> m.LoginMethods:
        """Read how people sign in here."""
        return self._client.answer(m.LoginMethods, Call("GET", "/api/login/methods"))

    def begin_openid(self) -> m.OpenIdStart:
        """Begin to sign in with the OpenID provider of the installation."""
        return self._client.answer(m.OpenIdStart, Call("POST", "/api/login/openid"))

    def complete_openid(self, body: m.OpenIdBody) -> m.LoggedIn:
        """Open a session with what the OpenID provider answered."""
        return self._client.answer(m.LoggedIn, Call("POST", "/api/login/openid/complete", json=body))

    def list_openid_links(self) -> m.OpenIdLinks:
        """List the OpenID identities that sign in as the account."""
        return self._client.answer(m.OpenIdLinks, Call("GET", "/api/auth/openid-links"))

    def update_openid_link(self, id: str, body: m.OpenIdLinkBody, *, idempotency_key: str | None = None) -> m.OpenIdLink:
        """Turn an OpenID identity off or on; off ends all other sessions."""
        return self._client.answer(m.OpenIdLink, Call("PUT", f"/api/auth/openid-links/{segment(id)}", json=body, keyed=True, idempotency_key=idempotency_key))

    def list_memberships(self) -> m.Memberships:
        """List the organizations of the account."""
        return self._client.answer(m.Memberships, Call("GET", "/api/auth/organizations"))

    def switch_organization(self, body: m.SwitchBody) -> m.LoggedIn:
        """Go on in another organization of the account; this session ends."""
        return self._client.answer(m.LoggedIn, Call("POST", "/api/auth/organizations/switch", json=body))

    def get_notifications(self) -> m.Notifications:
        """Read which mails the user gets."""
        return self._client.answer(m.Notifications, Call("GET", "/api/me/notifications"))

    def update_notifications(self, body: m.NotificationsPatch, *, idempotency_key: str | None = None) -> m.Notifications:
        """Choose which mails the user gets."""
        return self._client.answer(m.Notifications, Call("PATCH", "/api/me/notifications", json=body, keyed=True, idempotency_key=idempotency_key))

    def unsubscribe(self, token: str) -> None:
        """End mails of one kind by the link of such a mail (RFC 8058)."""
        self._client.nothing(Call("POST", f"/api/notifications/unsubscribe/{segment(token)}"))


class Organization:
    def __init__(self, client: Client) -> None:
        self._client = client

    def get_organization(self, *, if_match: str | None = None) -> m.Organization:
        """Read the organization. Needs the scope members:read."""
        return self._client.answer(m.Organization, Call("GET", "/api/organization", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    def update_organization(self, body: m.OrganizationPatch, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Organization:
        """Change the organization. Needs the scope members:write."""
        return self._client.answer(m.Organization, Call("PATCH", "/api/organization", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def list_children(self, id: str, *, limit: int | None = None, sort: Literal["createdAt", "name"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, status: Literal["active", "archived", "suspended"] | None = None) -> Rows[m.Organization]:
        """List the customers of the agency. Needs the scope organizations:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "status": status}
        return self._client.rows(m.Organization, f"/api/organizations/{segment(id)}/children", params, "cursor")

    def create_child(self, id: str, body: m.ChildBody, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Organization:
        """Make a customer of the agency. Needs the scope organizations:write."""
        return self._client.answer(m.Organization, Call("POST", f"/api/organizations/{segment(id)}/children", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def get_child(self, id: str, child_id: str, *, if_match: str | None = None) -> m.Organization:
        """Read a customer of the agency. Needs the scope organizations:read."""
        return self._client.answer(m.Organization, Call("GET", f"/api/organizations/{segment(id)}/children/{segment(child_id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    def update_child(self, id: str, child_id: str, body: m.ChildPatch, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Organization:
        """Rename, suspend or resume a customer of the agency. Needs the scope organizations:write."""
        return self._client.answer(m.Organization, Call("PATCH", f"/api/organizations/{segment(id)}/children/{segment(child_id)}", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def archive_child(self, id: str, child_id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> None:
        """Archive a customer of the agency: all access to it ends, its data stay. Needs the scope organizations:write."""
        self._client.nothing(Call("DELETE", f"/api/organizations/{segment(id)}/children/{segment(child_id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def get_white_label(self, *, if_match: str | None = None) -> m.WhiteLabel:
        """Read how the organization shows itself. Needs the scope members:read."""
        return self._client.answer(m.WhiteLabel, Call("GET", "/api/whitelabel", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    def update_white_label(self, body: m.WhiteLabelPatch, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.WhiteLabel:
        """Change the name, the logo, the colors and the support of the organization's pages. Needs the scope members:write."""
        return self._client.answer(m.WhiteLabel, Call("PATCH", "/api/whitelabel", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def get_public_white_label(self, *, host: str | None = None) -> m.PublicWhiteLabel:
        """Read how pages of a host look. From memory where the host was asked for in the last minute, so that strangers cause few reads."""
        return self._client.answer(m.PublicWhiteLabel, Call("GET", "/api/whitelabel/public", params={"host": host}))

    def get_logo(self, digest: str) -> bytes:
        """Read a logo. Named by its digest, so its bytes never change and the name shows nothing of the organization."""
        return self._client.content(Call("GET", f"/api/whitelabel/logos/{segment(digest)}"))

    def list_hosts(self, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None) -> Rows[m.Host]:
        """List the organization's own hosts. Needs the scope members:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt}
        return self._client.rows(m.Host, "/api/whitelabel/hosts", params, "cursor")

    def add_host(self, body: m.HostBody, *, idempotency_key: str | None = None) -> m.Host:
        """Name a host that is the organization's; a TXT record proves it. Needs the scope members:write."""
        return self._client.answer(m.Host, Call("POST", "/api/whitelabel/hosts", json=body, keyed=True, idempotency_key=idempotency_key))

    def verify_host(self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Host:
        """Look the TXT record of a host up now. Needs the scope members:write."""
        return self._client.answer(m.Host, Call("POST", f"/api/whitelabel/hosts/{segment(id)}/verify", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def remove_host(self, id: str, *, idempotency_key: str | None = None) -> None:
        """Remove a host, whose pages show the suite again. Needs the scope members:write."""
        self._client.nothing(Call("DELETE", f"/api/whitelabel/hosts/{segment(id)}", keyed=True, idempotency_key=idempotency_key))

    def list_quotas(self) -> m.Quotas:
        """List the organization's quotas and what is used. Of the services that the caller may read. Each service stores the answers to its own idempotent writes; the fullest of these stands for all."""
        return self._client.answer(m.Quotas, Call("GET", "/api/quotas"))


class Users:
    def __init__(self, client: Client) -> None:
        self._client = client

    def list_users(self, *, limit: int | None = None, sort: Literal["createdAt", "email"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, role: Literal["admin", "member", "owner", "viewer"] | None = None, email: str | None = None) -> Rows[m.Member]:
        """List the users of the organization. Needs the scope members:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "role": role, "email": email}
        return self._client.rows(m.Member, "/api/users", params, "cursor")

    def get_user(self, id: str, *, if_match: str | None = None) -> m.Member:
        """Read a user. Needs the scope members:read."""
        return self._client.answer(m.Member, Call("GET", f"/api/users/{segment(id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    def update_user(self, id: str, body: m.UserPatch, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Member:
        """Change the role or the name of a user. Needs the scope members:write."""
        return self._client.answer(m.Member, Call("PATCH", f"/api/users/{segment(id)}", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def remove_user(self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> None:
        """Remove a user from the organization, with its sessions and API keys. Needs the scope members:write."""
        self._client.nothing(Call("DELETE", f"/api/users/{segment(id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def get_agent_grants(self, id: str, *, if_match: str | None = None) -> m.AgentGrants:
        """Read which agents a user reaches. Needs the scope members:read."""
        return self._client.answer(m.AgentGrants, Call("GET", f"/api/users/{segment(id)}/agent-grants", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    def put_agent_grants(self, id: str, body: m.AgentGrantsBody, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.AgentGrants:
        """Limit a member or viewer to some agents, or lift the limit. Needs the scope members:write."""
        return self._client.answer(m.AgentGrants, Call("PUT", f"/api/users/{segment(id)}/agent-grants", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def list_roles(self) -> m.Roles:
        """List the roles and their scopes. Needs the scope members:read."""
        return self._client.answer(m.Roles, Call("GET", "/api/roles"))

    def create_invitation(self, body: m.InvitationBody, *, idempotency_key: str | None = None) -> m.Invitation:
        """Invite an address by mail. Needs the scope members:write."""
        return self._client.answer(m.Invitation, Call("POST", "/api/users/invitations", json=body, keyed=True, idempotency_key=idempotency_key))

    def list_invitations(self, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, status: Literal["accepted", "expired", "pending", "revoked"] | None = None) -> Rows[m.Invitation]:
        """List invitations. Needs the scope members:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "status": status}
        return self._client.rows(m.Invitation, "/api/users/invitations", params, "cursor")

    def get_invitation(self, id: str) -> m.Invitation:
        """Read an invitation. Needs the scope members:read."""
        return self._client.answer(m.Invitation, Call("GET", f"/api/users/invitations/{segment(id)}"))

    def revoke_invitation(self, id: str, *, idempotency_key: str | None = None) -> None:
        """Revoke an invitation. Needs the scope members:write."""
        self._client.nothing(Call("DELETE", f"/api/users/invitations/{segment(id)}", keyed=True, idempotency_key=idempotency_key))

    def resend_invitation(self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Invitation:
        """Mail an invitation again and let it work for another week. Needs the scope members:write."""
        return self._client.answer(m.Invitation, Call("POST", f"/api/users/invitations/{segment(id)}/resend", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def preview_invitation(self, body: m.PreviewBody) -> m.InvitationPreview:
        """Read what a mailed invitation offers."""
        return self._client.answer(m.InvitationPreview, Call("POST", "/api/invitations/preview", json=body))

    def accept_invitation(self, body: m.AcceptBody, *, idempotency_key: str | None = None) -> m.Accepted:
        """Join an organization by a mailed invitation."""
        return self._client.answer(m.Accepted, Call("POST", "/api/invitations/accept", json=body, keyed=True, idempotency_key=idempotency_key))


class APIKeys:
    def __init__(self, client: Client) -> None:
        self._client = client

    def create_api_key(self, body: m.ApiKeyBody, *, idempotency_key: str | None = None) -> m.FreshApiKey:
        """Create an API key. Needs the scope members:write."""
        return self._client.answer(m.FreshApiKey, Call("POST", "/api/api-keys", json=body, keyed=True, idempotency_key=idempotency_key))

    def list_api_keys(self, *, limit: int | None = None, sort: Literal["createdAt", "name"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, include_revoked: bool | None = None) -> Rows[m.ApiKey]:
        """List API keys. Needs the scope members:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "includeRevoked": include_revoked}
        return self._client.rows(m.ApiKey, "/api/api-keys", params, "cursor")

    def get_api_key(self, id: str, *, if_match: str | None = None) -> m.ApiKey:
        """Read an API key. Needs the scope members:read."""
        return self._client.answer(m.ApiKey, Call("GET", f"/api/api-keys/{segment(id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    def revoke_api_key(self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> None:
        """Revoke an API key. Needs the scope members:write."""
        self._client.nothing(Call("DELETE", f"/api/api-keys/{segment(id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def rotate_api_key(self, id: str, body: m.RotateBody | None = None, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.FreshApiKey:
        """Replace the secret of an API key. Needs the scope members:write."""
        return self._client.answer(m.FreshApiKey, Call("POST", f"/api/api-keys/{segment(id)}/rotate", json=body or {}, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))


class AuditLog:
    def __init__(self, client: Client) -> None:
        self._client = client

    def list_audit_logs(self, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, actor_id: str | None = None, action: str | None = None, target_id: str | None = None, request_id: str | None = None) -> Rows[m.AuditLog]:
        """List the organization's writes. A write is listed within a few seconds, without its changes. Needs the scope audit:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "actorId": actor_id, "action": action, "targetId": target_id, "requestId": request_id}
        return self._client.rows(m.AuditLog, "/api/audit-logs", params, "cursor")

    def get_audit_log(self, id: str) -> m.AuditLogEntry:
        """Read a write with what it changed. Needs the scope audit:read."""
        return self._client.answer(m.AuditLogEntry, Call("GET", f"/api/audit-logs/{segment(id)}"))

    def list_audit_seals(self, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None) -> Rows[m.AuditSeal]:
        """List the seals of the audit log. Writes are sealed each minute. Who keeps a hash elsewhere can prove later that nothing before it was changed. Needs the scope audit:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt}
        return self._client.rows(m.AuditSeal, "/api/audit-seals", params, "cursor")


class Agents:
    def __init__(self, client: Client) -> None:
        self._client = client

    def list_agents(self, *, limit: int | None = None, sort: Literal["createdAt", "name", "updatedAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, search: str | None = None, tags: str | None = None, status: Literal["active", "archived", "draft"] | None = None, provider: Literal["bland", "elevenlabs", "retell", "vapi"] | None = None, platform: Literal["bland", "elevenlabs", "retell", "vapi"] | None = None) -> Rows[m.AgentRow]:
        """List agents. Needs the scope agents:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "search": search, "tags": tags, "status": status, "provider": provider, "platform": platform}
        return self._client.rows(m.AgentRow, "/api/agents", params, "cursor")

    def create_agent(self, body: m.AgentBody, *, idempotency_key: str | None = None) -> m.Agent:
        """Create an agent. Needs the scope agents:write."""
        return self._client.answer(m.Agent, Call("POST", "/api/agents", json=body, keyed=True, idempotency_key=idempotency_key))

    def get_agent(self, id: str, *, if_match: str | None = None) -> m.Agent:
        """Read an agent. Needs the scope agents:read."""
        return self._client.answer(m.Agent, Call("GET", f"/api/agents/{segment(id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    def update_agent(self, id: str, body: m.AgentPatch, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Agent:
        """Edit an agent's draft. Needs the scope agents:write."""
        return self._client.answer(m.Agent, Call("PATCH", f"/api/agents/{segment(id)}", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def delete_agent(self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> None:
        """Delete an agent. Needs the scope agents:write."""
        self._client.nothing(Call("DELETE", f"/api/agents/{segment(id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def duplicate_agent(self, id: str, body: m.DuplicateBody | None = None, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Agent:
        """Copy an agent. Needs the scope agents:write."""
        return self._client.answer(m.Agent, Call("POST", f"/api/agents/{segment(id)}/duplicate", json=body or {}, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def get_draft(self, id: str, *, if_match: str | None = None) -> m.AgentConfiguration:
        """Read the configuration that would be published. Needs the scope agents:read."""
        return self._client.answer(m.AgentConfiguration, Call("GET", f"/api/agents/{segment(id)}/draft", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    def publish_agent(self, id: str, body: m.PublishBody | None = None, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.AgentVersion:
        """Freeze the draft as the next version. Needs the scope agents:write."""
        return self._client.answer(m.AgentVersion, Call("POST", f"/api/agents/{segment(id)}/publish", json=body or {}, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def list_versions(self, id: str, *, limit: int | None = None, sort: Literal["createdAt", "version"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None) -> Rows[m.AgentVersion]:
        """List published versions. Needs the scope agents:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt}
        return self._client.rows(m.AgentVersion, f"/api/agents/{segment(id)}/versions", params, "cursor")

    def get_version(self, id: str, version: str) -> m.AgentVersion:
        """Read a published version. Needs the scope agents:read."""
        return self._client.answer(m.AgentVersion, Call("GET", f"/api/agents/{segment(id)}/versions/{segment(version)}"))


class Integrations:
    def __init__(self, client: Client) -> None:
        self._client = client

    def list_integrations(self, *, limit: int | None = None, sort: Literal["createdAt", "provider"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None) -> Rows[m.Integration]:
        """List integrations. Needs the scope integrations:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt}
        return self._client.rows(m.Integration, "/api/integrations", params, "cursor")

    def get_integration(self, provider: str, *, if_match: str | None = None) -> m.Integration:
        """Read an integration. Needs the scope integrations:read."""
        return self._client.answer(m.Integration, Call("GET", f"/api/integrations/{segment(provider)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    def put_integration(self, provider: str, body: m.IntegrationBody, *, idempotency_key: str | None = None) -> m.Integration:
        """Enter a provider's credentials. Needs the scope integrations:write."""
        return self._client.answer(m.Integration, Call("PUT", f"/api/integrations/{segment(provider)}", json=body, keyed=True, idempotency_key=idempotency_key))

    def delete_integration(self, provider: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> None:
        """Remove an integration. Needs the scope integrations:write."""
        self._client.nothing(Call("DELETE", f"/api/integrations/{segment(provider)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def sync_integration(self, provider: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.SyncStarted:
        """Fetch calls and agents from the provider. Needs the scope integrations:write."""
        return self._client.answer(m.SyncStarted, Call("POST", f"/api/integrations/{segment(provider)}/sync", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))


class Knowledge:
    def __init__(self, client: Client) -> None:
        self._client = client

    def list_entries(self, *, limit: int | None = None, sort: Literal["createdAt", "title", "updatedAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, search: str | None = None, category: str | None = None, tags: str | None = None, status: Literal["completed", "failed", "processing"] | None = None) -> Rows[m.EntryRow]:
        """List entries. Needs the scope knowledge:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "search": search, "category": category, "tags": tags, "status": status}
        return self._client.rows(m.EntryRow, "/api/knowledge-base/entries", params, "cursor")

    def create_entry(self, body: m.EntryBody, *, idempotency_key: str | None = None) -> m.NewEntry:
        """Create a text entry. Needs the scope knowledge:write."""
        return self._client.answer(m.NewEntry, Call("POST", "/api/knowledge-base/entries", json=body, keyed=True, idempotency_key=idempotency_key))

    def get_entry(self, id: str, *, if_match: str | None = None) -> m.Entry:
        """Read an entry. Needs the scope knowledge:read."""
        return self._client.answer(m.Entry, Call("GET", f"/api/knowledge-base/entries/{segment(id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    def update_entry(self, id: str, body: m.EntryPatch, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Entry:
        """Change an entry. Needs the scope knowledge:write."""
        return self._client.answer(m.Entry, Call("PATCH", f"/api/knowledge-base/entries/{segment(id)}", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def delete_entry(self, id: str, *, if_unused: bool | None = None, if_match: str | None = None, idempotency_key: str | None = None) -> None:
        """Delete an entry and its document. Needs the scope knowledge:write."""
        self._client.nothing(Call("DELETE", f"/api/knowledge-base/entries/{segment(id)}", params={"ifUnused": if_unused}, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def list_chunks(self, id: str, *, limit: int | None = None, sort: Literal["position"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None) -> Rows[m.Chunk]:
        """List an entry's chunks. Needs the scope knowledge:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total}
        return self._client.rows(m.Chunk, f"/api/knowledge-base/entries/{segment(id)}/chunks", params, "cursor")

    def list_dependents(self, id: str, *, limit: int | None = None, sort: Literal["createdAt", "name"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None) -> Rows[m.Dependent]:
        """List the agents that speak from an entry. Needs the scope knowledge:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt}
        return self._client.rows(m.Dependent, f"/api/knowledge-base/entries/{segment(id)}/dependents", params, "cursor")

    def search(self, body: m.SearchBody) -> m.SearchAnswer:
        """Search. Needs the scope knowledge:read."""
        return self._client.answer(m.SearchAnswer, Call("POST", "/api/knowledge-base/search", json=body))

    def answer_context(self, body: m.AnswerContextBody) -> m.AnswerContext:
        """Passages for an answer, within a budget of tokens. Needs the scope knowledge:read."""
        return self._client.answer(m.AnswerContext, Call("POST", "/api/knowledge-base/answer-context", json=body))

    def get_stats(self) -> m.Stats:
        """How much there is. Needs the scope knowledge:read."""
        return self._client.answer(m.Stats, Call("GET", "/api/knowledge-base/stats"))

    def list_sources(self, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, status: Literal["current", "failed", "pending"] | None = None) -> Rows[m.Source]:
        """List sources. Needs the scope knowledge:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "status": status}
        return self._client.rows(m.Source, "/api/knowledge-base/sources", params, "cursor")

    def create_source(self, body: m.SourceBody, *, idempotency_key: str | None = None) -> m.NewSource:
        """Follow an address: a page, or the pages of a sitemap. Needs the scope knowledge:write."""
        return self._client.answer(m.NewSource, Call("POST", "/api/knowledge-base/sources", json=body, keyed=True, idempotency_key=idempotency_key))

    def get_source(self, id: str, *, if_match: str | None = None) -> m.Source:
        """Read a source. Needs the scope knowledge:read."""
        return self._client.answer(m.Source, Call("GET", f"/api/knowledge-base/sources/{segment(id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    def update_source(self, id: str, body: m.SourcePatch, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Source:
        """Change a source. Needs the scope knowledge:write."""
        return self._client.answer(m.Source, Call("PATCH", f"/api/knowledge-base/sources/{segment(id)}", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def delete_source(self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> None:
        """Delete a source and the entries of its pages. Needs the scope knowledge:write."""
        self._client.nothing(Call("DELETE", f"/api/knowledge-base/sources/{segment(id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def refresh_source(self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.SourceRefresh:
        """Read a source again now. Needs the scope knowledge:write."""
        return self._client.answer(m.SourceRefresh, Call("POST", f"/api/knowledge-base/sources/{segment(id)}/refresh", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))


class Documents:
    def __init__(self, client: Client) -> None:
        self._client = client

    def upload_document(self, document: Source, *, file_name: str | None = None, title: str | None = None, category: str | None = None, tags: str | None = None, language: str | None = None, entry_id: str | None = None, on_progress: Progress | None = None, idempotency_key: str | None = None) -> m.Upload:
        """Upload a document. Needs the scope knowledge:write."""
        return self._client.upload(m.Upload, "/api/documents/upload", "document", document, file_name, {"title": title, "category": category, "tags": tags, "language": language, "entryId": entry_id}, on_progress, idempotency_key)

    def list_documents(self, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, entry_id: str | None = None, status: Literal["completed", "failed", "processing"] | None = None) -> Rows[m.DocumentStatus]:
        """List documents. Needs the scope knowledge:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "entryId": entry_id, "status": status}
        return self._client.rows(m.DocumentStatus, "/api/documents", params, "cursor")

    def get_status(self, id: str) -> m.DocumentStatus:
        """Read the progress of processing. Needs the scope knowledge:read."""
        return self._client.answer(m.DocumentStatus, Call("GET", f"/api/documents/{segment(id)}/status"))

    def download_document(self, id: str) -> bytes:
        """Download a document as it was uploaded. Needs the scope knowledge:read."""
        return self._client.content(Call("GET", f"/api/documents/{segment(id)}/download"))


class CallLogs:
    def __init__(self, client: Client) -> None:
        self._client = client

    def list_calls(self, *, limit: int | None = None, sort: Literal["createdAt", "durationSeconds", "startedAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, agent_id: str | None = None, agent_version: int | None = None, status: Literal["busy", "completed", "failed", "in_progress", "no_answer", "voicemail"] | None = None, direction: Literal["inbound", "outbound", "web"] | None = None, phone_number: str | None = None, successful: bool | None = None, duration_ge: float | None = None, duration_lt: float | None = None, started_at_ge: str | None = None, started_at_lt: str | None = None, tags: str | None = None, search: str | None = None, provider: Literal["bland", "custom", "elevenlabs", "retell", "vapi"] | None = None, external_call_id: str | None = None) -> Rows[m.CallRow]:
        """List calls. Needs the scope calls:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "agentId": agent_id, "agentVersion": agent_version, "status": status, "direction": direction, "phoneNumber": phone_number, "successful": successful, "durationGe": duration_ge, "durationLt": duration_lt, "startedAtGe": started_at_ge, "startedAtLt": started_at_lt, "tags": tags, "search": search, "provider": provider, "externalCallId": external_call_id}
        return self._client.rows(m.CallRow, "/api/call-logs", params, "cursor")

    def get_call(self, id: str, *, if_match: str | None = None) -> m.Call:
        """Read a call with its transcript. Needs the scope calls:read."""
        return self._client.answer(m.Call, Call("GET", f"/api/call-logs/{segment(id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    def update_call(self, id: str, body: m.CallPatch, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Call:
        """Tag a call. Needs the scope calls:write."""
        return self._client.answer(m.Call, Call("PATCH", f"/api/call-logs/{segment(id)}", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def download_recording(self, id: str, *, range: str | None = None) -> bytes:
        """Download a recording, whole or in part. Needs the scope calls:read."""
        return self._client.content(Call("GET", f"/api/call-logs/{segment(id)}/recording", headers={name: value for name, value in (("Range", range),) if value is not None}))

    def open_recording(self, id: str, *, organization: str | None = None, expires: str | None = None, signature: str | None = None, range: str | None = None) -> bytes:
        """Open a recording by its signed link, whole or in part. The link is what `recording.url` of a call shows. It needs no credential and works for five minutes."""
        return self._client.content(Call("GET", f"/api/call-logs/{segment(id)}/recording/content", params={"organization": organization, "expires": expires, "signature": signature}, headers={name: value for name, value in (("Range", range),) if value is not None}))

    def get_transcription(self, id: str) -> m.Transcription:
        """Read the transcription of a recording whose provider sent no transcript. Needs the scope calls:read."""
        return self._client.answer(m.Transcription, Call("GET", f"/api/call-logs/{segment(id)}/transcription"))


class LiveCalls:
    def __init__(self, client: Client) -> None:
        self._client = client

    def list_live_calls(self, *, limit: int | None = None, sort: Literal["createdAt", "startedAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, agent_id: str | None = None, direction: Literal["inbound", "outbound", "web"] | None = None, provider: Literal["bland", "custom", "elevenlabs", "retell", "vapi"] | None = None) -> Rows[m.CallRow]:
        """List calls that run. Needs the scope calls:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "agentId": agent_id, "direction": direction, "provider": provider}
        return self._client.rows(m.CallRow, "/api/live-calls", params, "cursor")

    def begin_call(self, body: m.LiveCallBody, *, idempotency_key: str | None = None) -> m.LiveCall:
        """Begin to tell a call that runs. Needs the scope calls:write."""
        return self._client.answer(m.LiveCall, Call("POST", "/api/live-calls", json=body, keyed=True, idempotency_key=idempotency_key))

    def list_realtime_live_calls(self, *, limit: int | None = None, sort: Literal["createdAt", "startedAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, agent_id: str | None = None, direction: Literal["inbound", "outbound", "web"] | None = None, provider: Literal["bland", "custom", "elevenlabs", "retell", "vapi"] | None = None) -> Rows[m.CallRow]:
        """List calls that run, by the path of the realtime area. Needs the scope calls:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "agentId": agent_id, "direction": direction, "provider": provider}
        return self._client.rows(m.CallRow, "/api/realtime/live-calls", params, "cursor")

    def append_turns(self, id: str, body: m.LiveTurnsBody, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.LiveTurns:
        """Tell the next turns of a call. Needs the scope calls:write."""
        return self._client.answer(m.LiveTurns, Call("POST", f"/api/live-calls/{segment(id)}/turns", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def end_call(self, id: str, body: m.LiveCallEndBody | None = None, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.CallRow:
        """Tell that a call has ended. Needs the scope calls:write."""
        return self._client.answer(m.CallRow, Call("POST", f"/api/live-calls/{segment(id)}/end", json=body or {}, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def create_command(self, id: str, body: m.CallCommandBody, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.CallCommand:
        """Send a command to the party that runs a call. Needs the scope calls:write."""
        return self._client.answer(m.CallCommand, Call("POST", f"/api/live-calls/{segment(id)}/commands", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def list_commands(self, id: str, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, status: Literal["acknowledged", "failed", "pending", "timed_out"] | None = None) -> Rows[m.CallCommand]:
        """List the commands of a call. Needs the scope calls:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "status": status}
        return self._client.rows(m.CallCommand, f"/api/live-calls/{segment(id)}/commands", params, "cursor")

    def get_command(self, id: str, command_id: str) -> m.CallCommand:
        """Read a command. Needs the scope calls:read."""
        return self._client.answer(m.CallCommand, Call("GET", f"/api/live-calls/{segment(id)}/commands/{segment(command_id)}"))

    def acknowledge_command(self, id: str, command_id: str, body: m.CommandOutcomeBody | None = None, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.CallCommand:
        """Acknowledge a command, or say that it failed. Needs the scope calls:write."""
        return self._client.answer(m.CallCommand, Call("POST", f"/api/live-calls/{segment(id)}/commands/{segment(command_id)}/ack", json=body or {}, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))


class Billing:
    def __init__(self, client: Client) -> None:
        self._client = client

    def get_balance(self) -> m.Balance:
        """Read the balance. Needs the scope billing:read."""
        return self._client.answer(m.Balance, Call("GET", "/api/billing/balance"))

    def list_usage(self, *, limit: int | None = None, sort: Literal["day"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, from_: str | None = None, to: str | None = None, group_by: str | None = None) -> Rows[m.UsageRow]:
        """Sum usage by group. Needs the scope billing:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "from": from_, "to": to, "groupBy": group_by}
        return self._client.rows(m.UsageRow, "/api/billing/usage", params, "cursor")

    def list_ledger(self, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, type: Literal["adjustment", "grant", "refund", "top_up", "usage"] | None = None, call_id: str | None = None) -> Rows[m.LedgerEntry]:
        """List ledger entries. Needs the scope billing:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "type": type, "callId": call_id}
        return self._client.rows(m.LedgerEntry, "/api/billing/ledger", params, "cursor")

    def reconcile(self, *, from_: str | None = None, to: str | None = None) -> m.Reconciliation:
        """Compare calls, usage events and ledger. Needs the scope billing:read."""
        return self._client.answer(m.Reconciliation, Call("GET", "/api/billing/reconcile", params={"from": from_, "to": to}))

    def record_usage_events(self, body: m.UsageBody | None = None, *, idempotency_key: str | None = None) -> m.UsageRecorded:
        """Record one usage event, or up to a hundred. An event may also come as a CloudEvent, up to a hundred as a batch of them. Needs the scope billing:write."""
        return self._client.answer(m.UsageRecorded, Call("POST", "/api/billing/usage-events", json=body or {}, keyed=True, idempotency_key=idempotency_key))

    def list_usage_events(self, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, meter: str | None = None) -> Rows[m.UsageEvent]:
        """List usage events. Needs the scope billing:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "meter": meter}
        return self._client.rows(m.UsageEvent, "/api/billing/usage-events", params, "cursor")

    def list_meters(self, *, limit: int | None = None, sort: Literal["name"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None) -> Rows[m.Meter]:
        """List the meters and their units. Needs the scope billing:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total}
        return self._client.rows(m.Meter, "/api/billing/meters", params, "cursor")

    def create_top_up(self, body: m.TopUpBody, *, idempotency_key: str | None = None) -> m.TopUp:
        """Add credit (Idempotency-Key required). Needs the scope billing:write."""
        return self._client.answer(m.TopUp, Call("POST", "/api/billing/top-ups", json=body, keyed=True, idempotency_key=idempotency_key))

    def get_top_up(self, id: str) -> m.TopUp:
        """Read a top-up. Needs the scope billing:read."""
        return self._client.answer(m.TopUp, Call("GET", f"/api/billing/top-ups/{segment(id)}"))


class Operations:
    def __init__(self, client: Client) -> None:
        self._client = client

    def grant_credit(self, id: str, body: m.CreditBody, *, idempotency_key: str | None = None) -> m.CreditGrant:
        """Grant credit, for the platform's own organization (Idempotency-Key required). Needs the scope *."""
        return self._client.answer(m.CreditGrant, Call("POST", f"/api/admin/organizations/{segment(id)}/credits", json=body, keyed=True, idempotency_key=idempotency_key))

    def get_figures(self, *, after: str | None = None) -> m.Figures:
        """Read the last hour of the suite's figures, for the platform's own organization. Needs the scope *."""
        return self._client.answer(m.Figures, Call("GET", "/api/admin/figures", params={"after": after}))

    def list_queues(self, *, limit: int | None = None, sort: Literal["name"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None) -> Rows[m.Queue]:
        """List queues with their figures. Needs the scope *."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total}
        return self._client.rows(m.Queue, "/api/admin/queues", params, "cursor")

    def pause_queue(self, service: str, queue: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Queue:
        """Start no more jobs of a queue. Needs the scope *."""
        return self._client.answer(m.Queue, Call("POST", f"/api/admin/queues/{segment(service)}/{segment(queue)}/pause", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def resume_queue(self, service: str, queue: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Queue:
        """Start jobs of a queue again. Needs the scope *."""
        return self._client.answer(m.Queue, Call("POST", f"/api/admin/queues/{segment(service)}/{segment(queue)}/resume", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def list_dead_letters(self, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, kind: str | None = None, queue: str | None = None) -> Rows[m.JobRow]:
        """List jobs that failed for good. Needs the scope *."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "kind": kind, "queue": queue}
        return self._client.rows(m.JobRow, "/api/admin/dead-letters", params, "cursor")

    def replay_dead_letters(self, body: m.ReplayBody | None = None, *, idempotency_key: str | None = None) -> m.Replayed:
        """Run dead letters again. Needs the scope *."""
        return self._client.answer(m.Replayed, Call("POST", "/api/admin/dead-letters/replay", json=body or {}, keyed=True, idempotency_key=idempotency_key))

    def list_schedules(self, *, limit: int | None = None, sort: Literal["name"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None) -> Rows[m.Schedule]:
        """List schedules. Needs the scope *."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total}
        return self._client.rows(m.Schedule, "/api/admin/schedules", params, "cursor")

    def list_mail(self, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, unregistered: bool | None = None) -> Rows[m.Mail]:
        """Read the local mailbox. Needs the scope *."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "unregistered": unregistered}
        return self._client.rows(m.Mail, "/api/admin/mail", params, "cursor")

    def get_request_limits(self, id: str) -> m.RequestLimits:
        """Read the rate limits of an organization, for the platform's own organization. Needs the scope *."""
        return self._client.answer(m.RequestLimits, Call("GET", f"/api/admin/organizations/{segment(id)}/limits"))

    def put_request_limits(self, id: str, body: m.RequestLimitsBody, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.RequestLimits:
        """Set the rate limits of an organization, for the platform's own organization. Needs the scope *."""
        return self._client.answer(m.RequestLimits, Call("PUT", f"/api/admin/organizations/{segment(id)}/limits", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def list_dead_events(self, *, limit: int | None = None, sort: Literal["diedAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, consumer: str | None = None, topic: str | None = None, error_code: str | None = None, died_at_ge: str | None = None, died_at_lt: str | None = None) -> Rows[m.DeadEvent]:
        """List events that a consumer gave up. Needs the scope *."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "consumer": consumer, "topic": topic, "errorCode": error_code, "diedAtGe": died_at_ge, "diedAtLt": died_at_lt}
        return self._client.rows(m.DeadEvent, "/api/admin/dead-events", params, "cursor")

    def replay_dead_events(self, body: m.DeadEventReplayBody | None = None, *, idempotency_key: str | None = None) -> m.Replayed:
        """Have consumers handle dead events again. Needs the scope *."""
        return self._client.answer(m.Replayed, Call("POST", "/api/admin/dead-events/replay", json=body or {}, keyed=True, idempotency_key=idempotency_key))


class Realtime:
    def __init__(self, client: Client) -> None:
        self._client = client

    def create_token(self) -> m.ConnectionToken:
        """Get a token for the sockets. Needs the scope realtime:read."""
        return self._client.answer(m.ConnectionToken, Call("POST", "/api/realtime/token"))

    def list_events(self, *, limit: int | None = None, types: str | None = None) -> Rows[dict[str, Any]]:
        """Read the event log after a position. Needs the scope realtime:read."""
        params = {"limit": limit, "types": types}
        return self._client.rows(dict[str, Any], "/api/events", params, "after")

    def list_presence(self, *, limit: int | None = None, sort: Literal["clientId"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, channel: str | None = None) -> Rows[m.PresentClient]:
        """List who listens to a channel. Needs the scope realtime:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "channel": channel}
        return self._client.rows(m.PresentClient, "/api/realtime/presence", params, "cursor")


class WebhooksOut:
    def __init__(self, client: Client) -> None:
        self._client = client

    def create_endpoint(self, body: m.WebhookEndpointBody, *, idempotency_key: str | None = None) -> m.FreshWebhookEndpoint:
        """Register a receiver. Needs the scope webhooks:write."""
        return self._client.answer(m.FreshWebhookEndpoint, Call("POST", "/api/webhook-endpoints", json=body, keyed=True, idempotency_key=idempotency_key))

    def list_endpoints(self, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None) -> Rows[m.WebhookEndpoint]:
        """List receivers. Needs the scope webhooks:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt}
        return self._client.rows(m.WebhookEndpoint, "/api/webhook-endpoints", params, "cursor")

    def get_endpoint(self, id: str, *, if_match: str | None = None) -> m.WebhookEndpoint:
        """Read a receiver. Needs the scope webhooks:read."""
        return self._client.answer(m.WebhookEndpoint, Call("GET", f"/api/webhook-endpoints/{segment(id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    def update_endpoint(self, id: str, body: m.WebhookEndpointPatch, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.WebhookEndpoint:
        """Change a receiver. Needs the scope webhooks:write."""
        return self._client.answer(m.WebhookEndpoint, Call("PATCH", f"/api/webhook-endpoints/{segment(id)}", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def delete_endpoint(self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> None:
        """Remove a receiver. Needs the scope webhooks:write."""
        self._client.nothing(Call("DELETE", f"/api/webhook-endpoints/{segment(id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def rotate_secret(self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.FreshWebhookEndpoint:
        """Replace the signing secret; the old one signs along for a day. Needs the scope webhooks:write."""
        return self._client.answer(m.FreshWebhookEndpoint, Call("POST", f"/api/webhook-endpoints/{segment(id)}/rotate", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def test_endpoint(self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.TestDelivery:
        """Send a test event. Needs the scope webhooks:write."""
        return self._client.answer(m.TestDelivery, Call("POST", f"/api/webhook-endpoints/{segment(id)}/test", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def list_deliveries(self, id: str, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, status: Literal["delivered", "failed", "pending"] | None = None, event_type: str | None = None, event_id: str | None = None) -> Rows[m.WebhookDelivery]:
        """List deliveries. Needs the scope webhooks:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "status": status, "eventType": event_type, "eventId": event_id}
        return self._client.rows(m.WebhookDelivery, f"/api/webhook-endpoints/{segment(id)}/deliveries", params, "cursor")

    def get_delivery(self, id: str, delivery_id: str) -> m.WebhookDeliveryLog:
        """Read a delivery with its attempts. What was sent and what came back at each attempt: at most 20 attempts, the first KiB of each response's body, and no values of headers that authenticate. Needs the scope webhooks:read."""
        return self._client.answer(m.WebhookDeliveryLog, Call("GET", f"/api/webhook-endpoints/{segment(id)}/deliveries/{segment(delivery_id)}"))

    def replay_endpoint(self, id: str, body: m.EventReplayBody, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.EventReplay:
        """Deliver the events of a time range again. The events of the range, at most 10,000, are delivered again in a job, in their order, each under the webhook-id of its first delivery. A second request for the same range while one runs gets its job; another range is refused until then. Needs the scope webhooks:write."""
        return self._client.answer(m.EventReplay, Call("POST", f"/api/webhook-endpoints/{segment(id)}/replay", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def replay_delivery(self, id: str, delivery_id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.WebhookDelivery:
        """Deliver again. Needs the scope webhooks:write."""
        return self._client.answer(m.WebhookDelivery, Call("POST", f"/api/webhook-endpoints/{segment(id)}/deliveries/{segment(delivery_id)}/replay", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))


class Analytics:
    def __init__(self, client: Client) -> None:
        self._client = client

    def get_organization_analytics(self, *, from_: str | None = None, to: str | None = None) -> m.OrganizationAnalytics:
        """Totals. Needs the scope calls:read."""
        return self._client.answer(m.OrganizationAnalytics, Call("GET", "/api/analytics/organization", params={"from": from_, "to": to}))

    def get_timeseries(self, *, from_: str | None = None, to: str | None = None, interval: Literal["day", "hour"] | None = None, agent_id: str | None = None) -> m.Timeseries:
        """Totals by hour or day. Needs the scope calls:read."""
        return self._client.answer(m.Timeseries, Call("GET", "/api/analytics/timeseries", params={"from": from_, "to": to, "interval": interval, "agentId": agent_id}))


class Jobs:
    def __init__(self, client: Client) -> None:
        self._client = client

    def list_jobs(self, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, state: str | None = None, kind: str | None = None, queue: str | None = None) -> Rows[m.JobRow]:
        """List jobs of the services that the caller may read. Of the services that the caller may read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "state": state, "kind": kind, "queue": queue}
        return self._client.rows(m.JobRow, "/api/jobs", params, "cursor")

    def get_job(self, id: str) -> m.Job:
        """Read a job."""
        return self._client.answer(m.Job, Call("GET", f"/api/jobs/{segment(id)}"))

    def cancel_job(self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Job:
        """Cancel a job."""
        return self._client.answer(m.Job, Call("POST", f"/api/jobs/{segment(id)}/cancel", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def retry_job(self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Job:
        """Run a failed or cancelled job again."""
        return self._client.answer(m.Job, Call("POST", f"/api/jobs/{segment(id)}/retry", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))


class Health:
    def __init__(self, client: Client) -> None:
        self._client = client

    def get_health(self) -> m.Health:
        """Health of the suite."""
        return self._client.answer(m.Health, Call("GET", "/health"))

    def get_live(self) -> m.Probe:
        """Liveness of this process."""
        return self._client.answer(m.Probe, Call("GET", "/health/live"))

    def get_ready(self) -> m.Probe:
        """Readiness of this process."""
        return self._client.answer(m.Probe, Call("GET", "/health/ready"))


class Groups:
    def __init__(self, client: Client) -> None:
        self.accounts = Accounts(client)
        self.organization = Organization(client)
        self.users = Users(client)
        self.api_keys = APIKeys(client)
        self.audit_log = AuditLog(client)
        self.agents = Agents(client)
        self.integrations = Integrations(client)
        self.knowledge = Knowledge(client)
        self.documents = Documents(client)
        self.call_logs = CallLogs(client)
        self.live_calls = LiveCalls(client)
        self.billing = Billing(client)
        self.operations = Operations(client)
        self.realtime = Realtime(client)
        self.webhooks_out = WebhooksOut(client)
        self.analytics = Analytics(client)
        self.jobs = Jobs(client)
        self.health = Health(client)


class AsyncAccounts:
    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def register(self, body: m.RegisterBody, *, idempotency_key: str | None = None) -> m.Registered:
        """Create an organization and its owner."""
        return await self._client.answer(m.Registered, Call("POST", "/api/register", json=body, keyed=True, idempotency_key=idempotency_key))

    async def verify_registration(self, body: m.VerifyBody, *, idempotency_key: str | None = None) -> m.Verified:
        """Create the account of a mailed link."""
        return await self._client.answer(m.Verified, Call("POST", "/api/register/verify", json=body, keyed=True, idempotency_key=idempotency_key))

    async def resend_verification(self, body: m.ResendBody) -> None:
        """Mail the link of a registration again."""
        await self._client.nothing(Call("POST", "/api/register/resend", json=body))

    async def login(self, body: m.LoginBody) -> m.LoggedIn:
        """Open a session."""
        return await self._client.answer(m.LoggedIn, Call("POST", "/api/login", json=body))

    async def logout(self) -> None:
        """End the session."""
        await self._client.nothing(Call("POST", "/api/logout"))

    async def get_current_user(self) -> m.CurrentUser:
        """Read the current user."""
        return await self._client.answer(m.CurrentUser, Call("GET", "/api/auth/user"))

    def list_sessions(self, *, limit: int | None = None, sort: Literal["createdAt", "lastSeenAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None) -> AsyncRows[m.Session]:
        """List the user's sessions."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt}
        return self._client.rows(m.Session, "/api/auth/sessions", params, "cursor")

    async def revoke_other_sessions(self, *, idempotency_key: str | None = None) -> None:
        """End all sessions of the user but this one."""
        await self._client.nothing(Call("DELETE", "/api/auth/sessions", keyed=True, idempotency_key=idempotency_key))

    async def rotate_session(self) -> m.Rotated:
        """Give this session a new token; the old one ends 30 seconds later."""
        return await self._client.answer(m.Rotated, Call("POST", "/api/auth/sessions/rotate"))

    async def revoke_session(self, id: str, *, idempotency_key: str | None = None) -> None:
        """End a session of the user."""
        await self._client.nothing(Call("DELETE", f"/api/auth/sessions/{segment(id)}", keyed=True, idempotency_key=idempotency_key))

    async def forgot_password(self, body: m.ForgotBody) -> None:
        """Mail a link that sets a new password."""
        await self._client.nothing(Call("POST", "/api/auth/password/forgot", json=body))

    async def reset_password(self, body: m.ResetBody) -> None:
        """Set the password by a mailed link and end all sessions."""
        await self._client.nothing(Call("POST", "/api/auth/password/reset", json=body))

    async def change_password(self, body: m.PasswordBody) -> None:
        """Change the password and end all other sessions."""
        await self._client.nothing(Call("POST", "/api/auth/password", json=body))

    async def change_email(self, body: m.EmailBody, *, idempotency_key: str | None = None) -> None:
        """Mail a link to a new address of the account."""
        await self._client.nothing(Call("POST", "/api/auth/email", json=body, keyed=True, idempotency_key=idempotency_key))

    async def confirm_email(self, body: m.ConfirmEmailBody) -> None:
        """Take the new address of a mailed link, signed in as the account that asked."""
        await self._client.nothing(Call("POST", "/api/auth/email/confirm", json=body))

    async def get_second_factor(self) -> m.SecondFactor:
        """Read the state of the second factor."""
        return await self._client.answer(m.SecondFactor, Call("GET", "/api/auth/second-factor"))

    async def begin_second_factor(self, body: m.BeginBody, *, idempotency_key: str | None = None) -> m.SecondFactorSecret:
        """Get a secret for an authenticator."""
        return await self._client.answer(m.SecondFactorSecret, Call("POST", "/api/auth/second-factor", json=body, keyed=True, idempotency_key=idempotency_key))

    async def confirm_second_factor(self, body: m.CodeBody, *, idempotency_key: str | None = None) -> m.RecoveryCodes:
        """Turn the second factor on with a first code."""
        return await self._client.answer(m.RecoveryCodes, Call("POST", "/api/auth/second-factor/confirm", json=body, keyed=True, idempotency_key=idempotency_key))

    async def replace_recovery_codes(self, body: m.CodeBody, *, idempotency_key: str | None = None) -> m.RecoveryCodes:
        """Replace the recovery codes."""
        return await self._client.answer(m.RecoveryCodes, Call("POST", "/api/auth/second-factor/recovery-codes", json=body, keyed=True, idempotency_key=idempotency_key))

    async def disable_second_factor(self, body: m.CodeBody, *, idempotency_key: str | None = None) -> None:
        """Turn the second factor off."""
        await self._client.nothing(Call("POST", "/api/auth/second-factor/disable", json=body, keyed=True, idempotency_key=idempotency_key))

    async def verify_second_factor(self, body: m.SecondFactorBody) -> m.LoggedIn:
        """Open a session with the challenge of a login and a code."""
        return await self._client.answer(m.LoggedIn, Call("POST", "/api/login/second-factor", json=body))

    async def get_login_methods(self) -> m.LoginMethods:
        """Read how people sign in here."""
        return await self._client.answer(m.LoginMethods, Call("GET", "/api/login/methods"))

    async def begin_openid(self) -> m.OpenIdStart:
        """Begin to sign in with the OpenID provider of the installation."""
        return await self._client.answer(m.OpenIdStart, Call("POST", "/api/login/openid"))

    async def complete_openid(self, body: m.OpenIdBody) -> m.LoggedIn:
        """Open a session with what the OpenID provider answered."""
        return await self._client.answer(m.LoggedIn, Call("POST", "/api/login/openid/complete", json=body))

    async def list_openid_links(self) -> m.OpenIdLinks:
        """List the OpenID identities that sign in as the account."""
        return await self._client.answer(m.OpenIdLinks, Call("GET", "/api/auth/openid-links"))

    async def update_openid_link(self, id: str, body: m.OpenIdLinkBody, *, idempotency_key: str | None = None) -> m.OpenIdLink:
        """Turn an OpenID identity off or on; off ends all other sessions."""
        return await self._client.answer(m.OpenIdLink, Call("PUT", f"/api/auth/openid-links/{segment(id)}", json=body, keyed=True, idempotency_key=idempotency_key))

    async def list_memberships(self) -> m.Memberships:
        """List the organizations of the account."""
        return await self._client.answer(m.Memberships, Call("GET", "/api/auth/organizations"))

    async def switch_organization(self, body: m.SwitchBody) -> m.LoggedIn:
        """Go on in another organization of the account; this session ends."""
        return await self._client.answer(m.LoggedIn, Call("POST", "/api/auth/organizations/switch", json=body))

    async def get_notifications(self) -> m.Notifications:
        """Read which mails the user gets."""
        return await self._client.answer(m.Notifications, Call("GET", "/api/me/notifications"))

    async def update_notifications(self, body: m.NotificationsPatch, *, idempotency_key: str | None = None) -> m.Notifications:
        """Choose which mails the user gets."""
        return await self._client.answer(m.Notifications, Call("PATCH", "/api/me/notifications", json=body, keyed=True, idempotency_key=idempotency_key))

    async def unsubscribe(self, token: str) -> None:
        """End mails of one kind by the link of such a mail (RFC 8058)."""
        await self._client.nothing(Call("POST", f"/api/notifications/unsubscribe/{segment(token)}"))


class AsyncOrganization:
    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def get_organization(self, *, if_match: str | None = None) -> m.Organization:
        """Read the organization. Needs the scope members:read."""
        return await self._client.answer(m.Organization, Call("GET", "/api/organization", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    async def update_organization(self, body: m.OrganizationPatch, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Organization:
        """Change the organization. Needs the scope members:write."""
        return await self._client.answer(m.Organization, Call("PATCH", "/api/organization", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def list_children(self, id: str, *, limit: int | None = None, sort: Literal["createdAt", "name"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, status: Literal["active", "archived", "suspended"] | None = None) -> AsyncRows[m.Organization]:
        """List the customers of the agency. Needs the scope organizations:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "status": status}
        return self._client.rows(m.Organization, f"/api/organizations/{segment(id)}/children", params, "cursor")

    async def create_child(self, id: str, body: m.ChildBody, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Organization:
        """Make a customer of the agency. Needs the scope organizations:write."""
        return await self._client.answer(m.Organization, Call("POST", f"/api/organizations/{segment(id)}/children", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def get_child(self, id: str, child_id: str, *, if_match: str | None = None) -> m.Organization:
        """Read a customer of the agency. Needs the scope organizations:read."""
        return await self._client.answer(m.Organization, Call("GET", f"/api/organizations/{segment(id)}/children/{segment(child_id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    async def update_child(self, id: str, child_id: str, body: m.ChildPatch, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Organization:
        """Rename, suspend or resume a customer of the agency. Needs the scope organizations:write."""
        return await self._client.answer(m.Organization, Call("PATCH", f"/api/organizations/{segment(id)}/children/{segment(child_id)}", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def archive_child(self, id: str, child_id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> None:
        """Archive a customer of the agency: all access to it ends, its data stay. Needs the scope organizations:write."""
        await self._client.nothing(Call("DELETE", f"/api/organizations/{segment(id)}/children/{segment(child_id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def get_white_label(self, *, if_match: str | None = None) -> m.WhiteLabel:
        """Read how the organization shows itself. Needs the scope members:read."""
        return await self._client.answer(m.WhiteLabel, Call("GET", "/api/whitelabel", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    async def update_white_label(self, body: m.WhiteLabelPatch, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.WhiteLabel:
        """Change the name, the logo, the colors and the support of the organization's pages. Needs the scope members:write."""
        return await self._client.answer(m.WhiteLabel, Call("PATCH", "/api/whitelabel", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def get_public_white_label(self, *, host: str | None = None) -> m.PublicWhiteLabel:
        """Read how pages of a host look. From memory where the host was asked for in the last minute, so that strangers cause few reads."""
        return await self._client.answer(m.PublicWhiteLabel, Call("GET", "/api/whitelabel/public", params={"host": host}))

    async def get_logo(self, digest: str) -> bytes:
        """Read a logo. Named by its digest, so its bytes never change and the name shows nothing of the organization."""
        return await self._client.content(Call("GET", f"/api/whitelabel/logos/{segment(digest)}"))

    def list_hosts(self, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None) -> AsyncRows[m.Host]:
        """List the organization's own hosts. Needs the scope members:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt}
        return self._client.rows(m.Host, "/api/whitelabel/hosts", params, "cursor")

    async def add_host(self, body: m.HostBody, *, idempotency_key: str | None = None) -> m.Host:
        """Name a host that is the organization's; a TXT record proves it. Needs the scope members:write."""
        return await self._client.answer(m.Host, Call("POST", "/api/whitelabel/hosts", json=body, keyed=True, idempotency_key=idempotency_key))

    async def verify_host(self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Host:
        """Look the TXT record of a host up now. Needs the scope members:write."""
        return await self._client.answer(m.Host, Call("POST", f"/api/whitelabel/hosts/{segment(id)}/verify", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def remove_host(self, id: str, *, idempotency_key: str | None = None) -> None:
        """Remove a host, whose pages show the suite again. Needs the scope members:write."""
        await self._client.nothing(Call("DELETE", f"/api/whitelabel/hosts/{segment(id)}", keyed=True, idempotency_key=idempotency_key))

    async def list_quotas(self) -> m.Quotas:
        """List the organization's quotas and what is used. Of the services that the caller may read. Each service stores the answers to its own idempotent writes; the fullest of these stands for all."""
        return await self._client.answer(m.Quotas, Call("GET", "/api/quotas"))


class AsyncUsers:
    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    def list_users(self, *, limit: int | None = None, sort: Literal["createdAt", "email"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, role: Literal["admin", "member", "owner", "viewer"] | None = None, email: str | None = None) -> AsyncRows[m.Member]:
        """List the users of the organization. Needs the scope members:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "role": role, "email": email}
        return self._client.rows(m.Member, "/api/users", params, "cursor")

    async def get_user(self, id: str, *, if_match: str | None = None) -> m.Member:
        """Read a user. Needs the scope members:read."""
        return await self._client.answer(m.Member, Call("GET", f"/api/users/{segment(id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    async def update_user(self, id: str, body: m.UserPatch, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Member:
        """Change the role or the name of a user. Needs the scope members:write."""
        return await self._client.answer(m.Member, Call("PATCH", f"/api/users/{segment(id)}", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def remove_user(self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> None:
        """Remove a user from the organization, with its sessions and API keys. Needs the scope members:write."""
        await self._client.nothing(Call("DELETE", f"/api/users/{segment(id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def get_agent_grants(self, id: str, *, if_match: str | None = None) -> m.AgentGrants:
        """Read which agents a user reaches. Needs the scope members:read."""
        return await self._client.answer(m.AgentGrants, Call("GET", f"/api/users/{segment(id)}/agent-grants", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    async def put_agent_grants(self, id: str, body: m.AgentGrantsBody, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.AgentGrants:
        """Limit a member or viewer to some agents, or lift the limit. Needs the scope members:write."""
        return await self._client.answer(m.AgentGrants, Call("PUT", f"/api/users/{segment(id)}/agent-grants", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def list_roles(self) -> m.Roles:
        """List the roles and their scopes. Needs the scope members:read."""
        return await self._client.answer(m.Roles, Call("GET", "/api/roles"))

    async def create_invitation(self, body: m.InvitationBody, *, idempotency_key: str | None = None) -> m.Invitation:
        """Invite an address by mail. Needs the scope members:write."""
        return await self._client.answer(m.Invitation, Call("POST", "/api/users/invitations", json=body, keyed=True, idempotency_key=idempotency_key))

    def list_invitations(self, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, status: Literal["accepted", "expired", "pending", "revoked"] | None = None) -> AsyncRows[m.Invitation]:
        """List invitations. Needs the scope members:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "status": status}
        return self._client.rows(m.Invitation, "/api/users/invitations", params, "cursor")

    async def get_invitation(self, id: str) -> m.Invitation:
        """Read an invitation. Needs the scope members:read."""
        return await self._client.answer(m.Invitation, Call("GET", f"/api/users/invitations/{segment(id)}"))

    async def revoke_invitation(self, id: str, *, idempotency_key: str | None = None) -> None:
        """Revoke an invitation. Needs the scope members:write."""
        await self._client.nothing(Call("DELETE", f"/api/users/invitations/{segment(id)}", keyed=True, idempotency_key=idempotency_key))

    async def resend_invitation(self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Invitation:
        """Mail an invitation again and let it work for another week. Needs the scope members:write."""
        return await self._client.answer(m.Invitation, Call("POST", f"/api/users/invitations/{segment(id)}/resend", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def preview_invitation(self, body: m.PreviewBody) -> m.InvitationPreview:
        """Read what a mailed invitation offers."""
        return await self._client.answer(m.InvitationPreview, Call("POST", "/api/invitations/preview", json=body))

    async def accept_invitation(self, body: m.AcceptBody, *, idempotency_key: str | None = None) -> m.Accepted:
        """Join an organization by a mailed invitation."""
        return await self._client.answer(m.Accepted, Call("POST", "/api/invitations/accept", json=body, keyed=True, idempotency_key=idempotency_key))


class AsyncAPIKeys:
    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def create_api_key(self, body: m.ApiKeyBody, *, idempotency_key: str | None = None) -> m.FreshApiKey:
        """Create an API key. Needs the scope members:write."""
        return await self._client.answer(m.FreshApiKey, Call("POST", "/api/api-keys", json=body, keyed=True, idempotency_key=idempotency_key))

    def list_api_keys(self, *, limit: int | None = None, sort: Literal["createdAt", "name"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, include_revoked: bool | None = None) -> AsyncRows[m.ApiKey]:
        """List API keys. Needs the scope members:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "includeRevoked": include_revoked}
        return self._client.rows(m.ApiKey, "/api/api-keys", params, "cursor")

    async def get_api_key(self, id: str, *, if_match: str | None = None) -> m.ApiKey:
        """Read an API key. Needs the scope members:read."""
        return await self._client.answer(m.ApiKey, Call("GET", f"/api/api-keys/{segment(id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    async def revoke_api_key(self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> None:
        """Revoke an API key. Needs the scope members:write."""
        await self._client.nothing(Call("DELETE", f"/api/api-keys/{segment(id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def rotate_api_key(self, id: str, body: m.RotateBody | None = None, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.FreshApiKey:
        """Replace the secret of an API key. Needs the scope members:write."""
        return await self._client.answer(m.FreshApiKey, Call("POST", f"/api/api-keys/{segment(id)}/rotate", json=body or {}, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))


class AsyncAuditLog:
    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    def list_audit_logs(self, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, actor_id: str | None = None, action: str | None = None, target_id: str | None = None, request_id: str | None = None) -> AsyncRows[m.AuditLog]:
        """List the organization's writes. A write is listed within a few seconds, without its changes. Needs the scope audit:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "actorId": actor_id, "action": action, "targetId": target_id, "requestId": request_id}
        return self._client.rows(m.AuditLog, "/api/audit-logs", params, "cursor")

    async def get_audit_log(self, id: str) -> m.AuditLogEntry:
        """Read a write with what it changed. Needs the scope audit:read."""
        return await self._client.answer(m.AuditLogEntry, Call("GET", f"/api/audit-logs/{segment(id)}"))

    def list_audit_seals(self, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None) -> AsyncRows[m.AuditSeal]:
        """List the seals of the audit log. Writes are sealed each minute. Who keeps a hash elsewhere can prove later that nothing before it was changed. Needs the scope audit:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt}
        return self._client.rows(m.AuditSeal, "/api/audit-seals", params, "cursor")


class AsyncAgents:
    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    def list_agents(self, *, limit: int | None = None, sort: Literal["createdAt", "name", "updatedAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, search: str | None = None, tags: str | None = None, status: Literal["active", "archived", "draft"] | None = None, provider: Literal["bland", "elevenlabs", "retell", "vapi"] | None = None, platform: Literal["bland", "elevenlabs", "retell", "vapi"] | None = None) -> AsyncRows[m.AgentRow]:
        """List agents. Needs the scope agents:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "search": search, "tags": tags, "status": status, "provider": provider, "platform": platform}
        return self._client.rows(m.AgentRow, "/api/agents", params, "cursor")

    async def create_agent(self, body: m.AgentBody, *, idempotency_key: str | None = None) -> m.Agent:
        """Create an agent. Needs the scope agents:write."""
        return await self._client.answer(m.Agent, Call("POST", "/api/agents", json=body, keyed=True, idempotency_key=idempotency_key))

    async def get_agent(self, id: str, *, if_match: str | None = None) -> m.Agent:
        """Read an agent. Needs the scope agents:read."""
        return await self._client.answer(m.Agent, Call("GET", f"/api/agents/{segment(id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    async def update_agent(self, id: str, body: m.AgentPatch, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Agent:
        """Edit an agent's draft. Needs the scope agents:write."""
        return await self._client.answer(m.Agent, Call("PATCH", f"/api/agents/{segment(id)}", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def delete_agent(self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> None:
        """Delete an agent. Needs the scope agents:write."""
        await self._client.nothing(Call("DELETE", f"/api/agents/{segment(id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def duplicate_agent(self, id: str, body: m.DuplicateBody | None = None, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Agent:
        """Copy an agent. Needs the scope agents:write."""
        return await self._client.answer(m.Agent, Call("POST", f"/api/agents/{segment(id)}/duplicate", json=body or {}, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def get_draft(self, id: str, *, if_match: str | None = None) -> m.AgentConfiguration:
        """Read the configuration that would be published. Needs the scope agents:read."""
        return await self._client.answer(m.AgentConfiguration, Call("GET", f"/api/agents/{segment(id)}/draft", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    async def publish_agent(self, id: str, body: m.PublishBody | None = None, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.AgentVersion:
        """Freeze the draft as the next version. Needs the scope agents:write."""
        return await self._client.answer(m.AgentVersion, Call("POST", f"/api/agents/{segment(id)}/publish", json=body or {}, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def list_versions(self, id: str, *, limit: int | None = None, sort: Literal["createdAt", "version"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None) -> AsyncRows[m.AgentVersion]:
        """List published versions. Needs the scope agents:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt}
        return self._client.rows(m.AgentVersion, f"/api/agents/{segment(id)}/versions", params, "cursor")

    async def get_version(self, id: str, version: str) -> m.AgentVersion:
        """Read a published version. Needs the scope agents:read."""
        return await self._client.answer(m.AgentVersion, Call("GET", f"/api/agents/{segment(id)}/versions/{segment(version)}"))


class AsyncIntegrations:
    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    def list_integrations(self, *, limit: int | None = None, sort: Literal["createdAt", "provider"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None) -> AsyncRows[m.Integration]:
        """List integrations. Needs the scope integrations:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt}
        return self._client.rows(m.Integration, "/api/integrations", params, "cursor")

    async def get_integration(self, provider: str, *, if_match: str | None = None) -> m.Integration:
        """Read an integration. Needs the scope integrations:read."""
        return await self._client.answer(m.Integration, Call("GET", f"/api/integrations/{segment(provider)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    async def put_integration(self, provider: str, body: m.IntegrationBody, *, idempotency_key: str | None = None) -> m.Integration:
        """Enter a provider's credentials. Needs the scope integrations:write."""
        return await self._client.answer(m.Integration, Call("PUT", f"/api/integrations/{segment(provider)}", json=body, keyed=True, idempotency_key=idempotency_key))

    async def delete_integration(self, provider: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> None:
        """Remove an integration. Needs the scope integrations:write."""
        await self._client.nothing(Call("DELETE", f"/api/integrations/{segment(provider)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def sync_integration(self, provider: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.SyncStarted:
        """Fetch calls and agents from the provider. Needs the scope integrations:write."""
        return await self._client.answer(m.SyncStarted, Call("POST", f"/api/integrations/{segment(provider)}/sync", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))


class AsyncKnowledge:
    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    def list_entries(self, *, limit: int | None = None, sort: Literal["createdAt", "title", "updatedAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, search: str | None = None, category: str | None = None, tags: str | None = None, status: Literal["completed", "failed", "processing"] | None = None) -> AsyncRows[m.EntryRow]:
        """List entries. Needs the scope knowledge:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "search": search, "category": category, "tags": tags, "status": status}
        return self._client.rows(m.EntryRow, "/api/knowledge-base/entries", params, "cursor")

    async def create_entry(self, body: m.EntryBody, *, idempotency_key: str | None = None) -> m.NewEntry:
        """Create a text entry. Needs the scope knowledge:write."""
        return await self._client.answer(m.NewEntry, Call("POST", "/api/knowledge-base/entries", json=body, keyed=True, idempotency_key=idempotency_key))

    async def get_entry(self, id: str, *, if_match: str | None = None) -> m.Entry:
        """Read an entry. Needs the scope knowledge:read."""
        return await self._client.answer(m.Entry, Call("GET", f"/api/knowledge-base/entries/{segment(id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    async def update_entry(self, id: str, body: m.EntryPatch, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Entry:
        """Change an entry. Needs the scope knowledge:write."""
        return await self._client.answer(m.Entry, Call("PATCH", f"/api/knowledge-base/entries/{segment(id)}", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def delete_entry(self, id: str, *, if_unused: bool | None = None, if_match: str | None = None, idempotency_key: str | None = None) -> None:
        """Delete an entry and its document. Needs the scope knowledge:write."""
        await self._client.nothing(Call("DELETE", f"/api/knowledge-base/entries/{segment(id)}", params={"ifUnused": if_unused}, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def list_chunks(self, id: str, *, limit: int | None = None, sort: Literal["position"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None) -> AsyncRows[m.Chunk]:
        """List an entry's chunks. Needs the scope knowledge:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total}
        return self._client.rows(m.Chunk, f"/api/knowledge-base/entries/{segment(id)}/chunks", params, "cursor")

    def list_dependents(self, id: str, *, limit: int | None = None, sort: Literal["createdAt", "name"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None) -> AsyncRows[m.Dependent]:
        """List the agents that speak from an entry. Needs the scope knowledge:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt}
        return self._client.rows(m.Dependent, f"/api/knowledge-base/entries/{segment(id)}/dependents", params, "cursor")

    async def search(self, body: m.SearchBody) -> m.SearchAnswer:
        """Search. Needs the scope knowledge:read."""
        return await self._client.answer(m.SearchAnswer, Call("POST", "/api/knowledge-base/search", json=body))

    async def answer_context(self, body: m.AnswerContextBody) -> m.AnswerContext:
        """Passages for an answer, within a budget of tokens. Needs the scope knowledge:read."""
        return await self._client.answer(m.AnswerContext, Call("POST", "/api/knowledge-base/answer-context", json=body))

    async def get_stats(self) -> m.Stats:
        """How much there is. Needs the scope knowledge:read."""
        return await self._client.answer(m.Stats, Call("GET", "/api/knowledge-base/stats"))

    def list_sources(self, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, status: Literal["current", "failed", "pending"] | None = None) -> AsyncRows[m.Source]:
        """List sources. Needs the scope knowledge:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "status": status}
        return self._client.rows(m.Source, "/api/knowledge-base/sources", params, "cursor")

    async def create_source(self, body: m.SourceBody, *, idempotency_key: str | None = None) -> m.NewSource:
        """Follow an address: a page, or the pages of a sitemap. Needs the scope knowledge:write."""
        return await self._client.answer(m.NewSource, Call("POST", "/api/knowledge-base/sources", json=body, keyed=True, idempotency_key=idempotency_key))

    async def get_source(self, id: str, *, if_match: str | None = None) -> m.Source:
        """Read a source. Needs the scope knowledge:read."""
        return await self._client.answer(m.Source, Call("GET", f"/api/knowledge-base/sources/{segment(id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    async def update_source(self, id: str, body: m.SourcePatch, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Source:
        """Change a source. Needs the scope knowledge:write."""
        return await self._client.answer(m.Source, Call("PATCH", f"/api/knowledge-base/sources/{segment(id)}", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def delete_source(self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> None:
        """Delete a source and the entries of its pages. Needs the scope knowledge:write."""
        await self._client.nothing(Call("DELETE", f"/api/knowledge-base/sources/{segment(id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def refresh_source(self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.SourceRefresh:
        """Read a source again now. Needs the scope knowledge:write."""
        return await self._client.answer(m.SourceRefresh, Call("POST", f"/api/knowledge-base/sources/{segment(id)}/refresh", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))


class AsyncDocuments:
    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def upload_document(self, document: Source, *, file_name: str | None = None, title: str | None = None, category: str | None = None, tags: str | None = None, language: str | None = None, entry_id: str | None = None, on_progress: Progress | None = None, idempotency_key: str | None = None) -> m.Upload:
        """Upload a document. Needs the scope knowledge:write."""
        return await self._client.upload(m.Upload, "/api/documents/upload", "document", document, file_name, {"title": title, "category": category, "tags": tags, "language": language, "entryId": entry_id}, on_progress, idempotency_key)

    def list_documents(self, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, entry_id: str | None = None, status: Literal["completed", "failed", "processing"] | None = None) -> AsyncRows[m.DocumentStatus]:
        """List documents. Needs the scope knowledge:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "entryId": entry_id, "status": status}
        return self._client.rows(m.DocumentStatus, "/api/documents", params, "cursor")

    async def get_status(self, id: str) -> m.DocumentStatus:
        """Read the progress of processing. Needs the scope knowledge:read."""
        return await self._client.answer(m.DocumentStatus, Call("GET", f"/api/documents/{segment(id)}/status"))

    async def download_document(self, id: str) -> bytes:
        """Download a document as it was uploaded. Needs the scope knowledge:read."""
        return await self._client.content(Call("GET", f"/api/documents/{segment(id)}/download"))


class AsyncCallLogs:
    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    def list_calls(self, *, limit: int | None = None, sort: Literal["createdAt", "durationSeconds", "startedAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, agent_id: str | None = None, agent_version: int | None = None, status: Literal["busy", "completed", "failed", "in_progress", "no_answer", "voicemail"] | None = None, direction: Literal["inbound", "outbound", "web"] | None = None, phone_number: str | None = None, successful: bool | None = None, duration_ge: float | None = None, duration_lt: float | None = None, started_at_ge: str | None = None, started_at_lt: str | None = None, tags: str | None = None, search: str | None = None, provider: Literal["bland", "custom", "elevenlabs", "retell", "vapi"] | None = None, external_call_id: str | None = None) -> AsyncRows[m.CallRow]:
        """List calls. Needs the scope calls:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "agentId": agent_id, "agentVersion": agent_version, "status": status, "direction": direction, "phoneNumber": phone_number, "successful": successful, "durationGe": duration_ge, "durationLt": duration_lt, "startedAtGe": started_at_ge, "startedAtLt": started_at_lt, "tags": tags, "search": search, "provider": provider, "externalCallId": external_call_id}
        return self._client.rows(m.CallRow, "/api/call-logs", params, "cursor")

    async def get_call(self, id: str, *, if_match: str | None = None) -> m.Call:
        """Read a call with its transcript. Needs the scope calls:read."""
        return await self._client.answer(m.Call, Call("GET", f"/api/call-logs/{segment(id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    async def update_call(self, id: str, body: m.CallPatch, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Call:
        """Tag a call. Needs the scope calls:write."""
        return await self._client.answer(m.Call, Call("PATCH", f"/api/call-logs/{segment(id)}", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def download_recording(self, id: str, *, range: str | None = None) -> bytes:
        """Download a recording, whole or in part. Needs the scope calls:read."""
        return await self._client.content(Call("GET", f"/api/call-logs/{segment(id)}/recording", headers={name: value for name, value in (("Range", range),) if value is not None}))

    async def open_recording(self, id: str, *, organization: str | None = None, expires: str | None = None, signature: str | None = None, range: str | None = None) -> bytes:
        """Open a recording by its signed link, whole or in part. The link is what `recording.url` of a call shows. It needs no credential and works for five minutes."""
        return await self._client.content(Call("GET", f"/api/call-logs/{segment(id)}/recording/content", params={"organization": organization, "expires": expires, "signature": signature}, headers={name: value for name, value in (("Range", range),) if value is not None}))

    async def get_transcription(self, id: str) -> m.Transcription:
        """Read the transcription of a recording whose provider sent no transcript. Needs the scope calls:read."""
        return await self._client.answer(m.Transcription, Call("GET", f"/api/call-logs/{segment(id)}/transcription"))


class AsyncLiveCalls:
    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    def list_live_calls(self, *, limit: int | None = None, sort: Literal["createdAt", "startedAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, agent_id: str | None = None, direction: Literal["inbound", "outbound", "web"] | None = None, provider: Literal["bland", "custom", "elevenlabs", "retell", "vapi"] | None = None) -> AsyncRows[m.CallRow]:
        """List calls that run. Needs the scope calls:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "agentId": agent_id, "direction": direction, "provider": provider}
        return self._client.rows(m.CallRow, "/api/live-calls", params, "cursor")

    async def begin_call(self, body: m.LiveCallBody, *, idempotency_key: str | None = None) -> m.LiveCall:
        """Begin to tell a call that runs. Needs the scope calls:write."""
        return await self._client.answer(m.LiveCall, Call("POST", "/api/live-calls", json=body, keyed=True, idempotency_key=idempotency_key))

    def list_realtime_live_calls(self, *, limit: int | None = None, sort: Literal["createdAt", "startedAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, agent_id: str | None = None, direction: Literal["inbound", "outbound", "web"] | None = None, provider: Literal["bland", "custom", "elevenlabs", "retell", "vapi"] | None = None) -> AsyncRows[m.CallRow]:
        """List calls that run, by the path of the realtime area. Needs the scope calls:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "agentId": agent_id, "direction": direction, "provider": provider}
        return self._client.rows(m.CallRow, "/api/realtime/live-calls", params, "cursor")

    async def append_turns(self, id: str, body: m.LiveTurnsBody, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.LiveTurns:
        """Tell the next turns of a call. Needs the scope calls:write."""
        return await self._client.answer(m.LiveTurns, Call("POST", f"/api/live-calls/{segment(id)}/turns", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def end_call(self, id: str, body: m.LiveCallEndBody | None = None, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.CallRow:
        """Tell that a call has ended. Needs the scope calls:write."""
        return await self._client.answer(m.CallRow, Call("POST", f"/api/live-calls/{segment(id)}/end", json=body or {}, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def create_command(self, id: str, body: m.CallCommandBody, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.CallCommand:
        """Send a command to the party that runs a call. Needs the scope calls:write."""
        return await self._client.answer(m.CallCommand, Call("POST", f"/api/live-calls/{segment(id)}/commands", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def list_commands(self, id: str, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, status: Literal["acknowledged", "failed", "pending", "timed_out"] | None = None) -> AsyncRows[m.CallCommand]:
        """List the commands of a call. Needs the scope calls:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "status": status}
        return self._client.rows(m.CallCommand, f"/api/live-calls/{segment(id)}/commands", params, "cursor")

    async def get_command(self, id: str, command_id: str) -> m.CallCommand:
        """Read a command. Needs the scope calls:read."""
        return await self._client.answer(m.CallCommand, Call("GET", f"/api/live-calls/{segment(id)}/commands/{segment(command_id)}"))

    async def acknowledge_command(self, id: str, command_id: str, body: m.CommandOutcomeBody | None = None, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.CallCommand:
        """Acknowledge a command, or say that it failed. Needs the scope calls:write."""
        return await self._client.answer(m.CallCommand, Call("POST", f"/api/live-calls/{segment(id)}/commands/{segment(command_id)}/ack", json=body or {}, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))


class AsyncBilling:
    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def get_balance(self) -> m.Balance:
        """Read the balance. Needs the scope billing:read."""
        return await self._client.answer(m.Balance, Call("GET", "/api/billing/balance"))

    def list_usage(self, *, limit: int | None = None, sort: Literal["day"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, from_: str | None = None, to: str | None = None, group_by: str | None = None) -> AsyncRows[m.UsageRow]:
        """Sum usage by group. Needs the scope billing:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "from": from_, "to": to, "groupBy": group_by}
        return self._client.rows(m.UsageRow, "/api/billing/usage", params, "cursor")

    def list_ledger(self, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, type: Literal["adjustment", "grant", "refund", "top_up", "usage"] | None = None, call_id: str | None = None) -> AsyncRows[m.LedgerEntry]:
        """List ledger entries. Needs the scope billing:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "type": type, "callId": call_id}
        return self._client.rows(m.LedgerEntry, "/api/billing/ledger", params, "cursor")

    async def reconcile(self, *, from_: str | None = None, to: str | None = None) -> m.Reconciliation:
        """Compare calls, usage events and ledger. Needs the scope billing:read."""
        return await self._client.answer(m.Reconciliation, Call("GET", "/api/billing/reconcile", params={"from": from_, "to": to}))

    async def record_usage_events(self, body: m.UsageBody | None = None, *, idempotency_key: str | None = None) -> m.UsageRecorded:
        """Record one usage event, or up to a hundred. An event may also come as a CloudEvent, up to a hundred as a batch of them. Needs the scope billing:write."""
        return await self._client.answer(m.UsageRecorded, Call("POST", "/api/billing/usage-events", json=body or {}, keyed=True, idempotency_key=idempotency_key))

    def list_usage_events(self, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, meter: str | None = None) -> AsyncRows[m.UsageEvent]:
        """List usage events. Needs the scope billing:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "meter": meter}
        return self._client.rows(m.UsageEvent, "/api/billing/usage-events", params, "cursor")

    def list_meters(self, *, limit: int | None = None, sort: Literal["name"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None) -> AsyncRows[m.Meter]:
        """List the meters and their units. Needs the scope billing:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total}
        return self._client.rows(m.Meter, "/api/billing/meters", params, "cursor")

    async def create_top_up(self, body: m.TopUpBody, *, idempotency_key: str | None = None) -> m.TopUp:
        """Add credit (Idempotency-Key required). Needs the scope billing:write."""
        return await self._client.answer(m.TopUp, Call("POST", "/api/billing/top-ups", json=body, keyed=True, idempotency_key=idempotency_key))

    async def get_top_up(self, id: str) -> m.TopUp:
        """Read a top-up. Needs the scope billing:read."""
        return await self._client.answer(m.TopUp, Call("GET", f"/api/billing/top-ups/{segment(id)}"))


class AsyncOperations:
    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def grant_credit(self, id: str, body: m.CreditBody, *, idempotency_key: str | None = None) -> m.CreditGrant:
        """Grant credit, for the platform's own organization (Idempotency-Key required). Needs the scope *."""
        return await self._client.answer(m.CreditGrant, Call("POST", f"/api/admin/organizations/{segment(id)}/credits", json=body, keyed=True, idempotency_key=idempotency_key))

    async def get_figures(self, *, after: str | None = None) -> m.Figures:
        """Read the last hour of the suite's figures, for the platform's own organization. Needs the scope *."""
        return await self._client.answer(m.Figures, Call("GET", "/api/admin/figures", params={"after": after}))

    def list_queues(self, *, limit: int | None = None, sort: Literal["name"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None) -> AsyncRows[m.Queue]:
        """List queues with their figures. Needs the scope *."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total}
        return self._client.rows(m.Queue, "/api/admin/queues", params, "cursor")

    async def pause_queue(self, service: str, queue: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Queue:
        """Start no more jobs of a queue. Needs the scope *."""
        return await self._client.answer(m.Queue, Call("POST", f"/api/admin/queues/{segment(service)}/{segment(queue)}/pause", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def resume_queue(self, service: str, queue: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Queue:
        """Start jobs of a queue again. Needs the scope *."""
        return await self._client.answer(m.Queue, Call("POST", f"/api/admin/queues/{segment(service)}/{segment(queue)}/resume", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def list_dead_letters(self, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, kind: str | None = None, queue: str | None = None) -> AsyncRows[m.JobRow]:
        """List jobs that failed for good. Needs the scope *."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "kind": kind, "queue": queue}
        return self._client.rows(m.JobRow, "/api/admin/dead-letters", params, "cursor")

    async def replay_dead_letters(self, body: m.ReplayBody | None = None, *, idempotency_key: str | None = None) -> m.Replayed:
        """Run dead letters again. Needs the scope *."""
        return await self._client.answer(m.Replayed, Call("POST", "/api/admin/dead-letters/replay", json=body or {}, keyed=True, idempotency_key=idempotency_key))

    def list_schedules(self, *, limit: int | None = None, sort: Literal["name"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None) -> AsyncRows[m.Schedule]:
        """List schedules. Needs the scope *."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total}
        return self._client.rows(m.Schedule, "/api/admin/schedules", params, "cursor")

    def list_mail(self, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, unregistered: bool | None = None) -> AsyncRows[m.Mail]:
        """Read the local mailbox. Needs the scope *."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "unregistered": unregistered}
        return self._client.rows(m.Mail, "/api/admin/mail", params, "cursor")

    async def get_request_limits(self, id: str) -> m.RequestLimits:
        """Read the rate limits of an organization, for the platform's own organization. Needs the scope *."""
        return await self._client.answer(m.RequestLimits, Call("GET", f"/api/admin/organizations/{segment(id)}/limits"))

    async def put_request_limits(self, id: str, body: m.RequestLimitsBody, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.RequestLimits:
        """Set the rate limits of an organization, for the platform's own organization. Needs the scope *."""
        return await self._client.answer(m.RequestLimits, Call("PUT", f"/api/admin/organizations/{segment(id)}/limits", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def list_dead_events(self, *, limit: int | None = None, sort: Literal["diedAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, consumer: str | None = None, topic: str | None = None, error_code: str | None = None, died_at_ge: str | None = None, died_at_lt: str | None = None) -> AsyncRows[m.DeadEvent]:
        """List events that a consumer gave up. Needs the scope *."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "consumer": consumer, "topic": topic, "errorCode": error_code, "diedAtGe": died_at_ge, "diedAtLt": died_at_lt}
        return self._client.rows(m.DeadEvent, "/api/admin/dead-events", params, "cursor")

    async def replay_dead_events(self, body: m.DeadEventReplayBody | None = None, *, idempotency_key: str | None = None) -> m.Replayed:
        """Have consumers handle dead events again. Needs the scope *."""
        return await self._client.answer(m.Replayed, Call("POST", "/api/admin/dead-events/replay", json=body or {}, keyed=True, idempotency_key=idempotency_key))


class AsyncRealtime:
    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def create_token(self) -> m.ConnectionToken:
        """Get a token for the sockets. Needs the scope realtime:read."""
        return await self._client.answer(m.ConnectionToken, Call("POST", "/api/realtime/token"))

    def list_events(self, *, limit: int | None = None, types: str | None = None) -> AsyncRows[dict[str, Any]]:
        """Read the event log after a position. Needs the scope realtime:read."""
        params = {"limit": limit, "types": types}
        return self._client.rows(dict[str, Any], "/api/events", params, "after")

    def list_presence(self, *, limit: int | None = None, sort: Literal["clientId"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, channel: str | None = None) -> AsyncRows[m.PresentClient]:
        """List who listens to a channel. Needs the scope realtime:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "channel": channel}
        return self._client.rows(m.PresentClient, "/api/realtime/presence", params, "cursor")


class AsyncWebhooksOut:
    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def create_endpoint(self, body: m.WebhookEndpointBody, *, idempotency_key: str | None = None) -> m.FreshWebhookEndpoint:
        """Register a receiver. Needs the scope webhooks:write."""
        return await self._client.answer(m.FreshWebhookEndpoint, Call("POST", "/api/webhook-endpoints", json=body, keyed=True, idempotency_key=idempotency_key))

    def list_endpoints(self, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None) -> AsyncRows[m.WebhookEndpoint]:
        """List receivers. Needs the scope webhooks:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt}
        return self._client.rows(m.WebhookEndpoint, "/api/webhook-endpoints", params, "cursor")

    async def get_endpoint(self, id: str, *, if_match: str | None = None) -> m.WebhookEndpoint:
        """Read a receiver. Needs the scope webhooks:read."""
        return await self._client.answer(m.WebhookEndpoint, Call("GET", f"/api/webhook-endpoints/{segment(id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}))

    async def update_endpoint(self, id: str, body: m.WebhookEndpointPatch, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.WebhookEndpoint:
        """Change a receiver. Needs the scope webhooks:write."""
        return await self._client.answer(m.WebhookEndpoint, Call("PATCH", f"/api/webhook-endpoints/{segment(id)}", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def delete_endpoint(self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> None:
        """Remove a receiver. Needs the scope webhooks:write."""
        await self._client.nothing(Call("DELETE", f"/api/webhook-endpoints/{segment(id)}", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def rotate_secret(self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.FreshWebhookEndpoint:
        """Replace the signing secret; the old one signs along for a day. Needs the scope webhooks:write."""
        return await self._client.answer(m.FreshWebhookEndpoint, Call("POST", f"/api/webhook-endpoints/{segment(id)}/rotate", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def test_endpoint(self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.TestDelivery:
        """Send a test event. Needs the scope webhooks:write."""
        return await self._client.answer(m.TestDelivery, Call("POST", f"/api/webhook-endpoints/{segment(id)}/test", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    def list_deliveries(self, id: str, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, status: Literal["delivered", "failed", "pending"] | None = None, event_type: str | None = None, event_id: str | None = None) -> AsyncRows[m.WebhookDelivery]:
        """List deliveries. Needs the scope webhooks:read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "status": status, "eventType": event_type, "eventId": event_id}
        return self._client.rows(m.WebhookDelivery, f"/api/webhook-endpoints/{segment(id)}/deliveries", params, "cursor")

    async def get_delivery(self, id: str, delivery_id: str) -> m.WebhookDeliveryLog:
        """Read a delivery with its attempts. What was sent and what came back at each attempt: at most 20 attempts, the first KiB of each response's body, and no values of headers that authenticate. Needs the scope webhooks:read."""
        return await self._client.answer(m.WebhookDeliveryLog, Call("GET", f"/api/webhook-endpoints/{segment(id)}/deliveries/{segment(delivery_id)}"))

    async def replay_endpoint(self, id: str, body: m.EventReplayBody, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.EventReplay:
        """Deliver the events of a time range again. The events of the range, at most 10,000, are delivered again in a job, in their order, each under the webhook-id of its first delivery. A second request for the same range while one runs gets its job; another range is refused until then. Needs the scope webhooks:write."""
        return await self._client.answer(m.EventReplay, Call("POST", f"/api/webhook-endpoints/{segment(id)}/replay", json=body, headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def replay_delivery(self, id: str, delivery_id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.WebhookDelivery:
        """Deliver again. Needs the scope webhooks:write."""
        return await self._client.answer(m.WebhookDelivery, Call("POST", f"/api/webhook-endpoints/{segment(id)}/deliveries/{segment(delivery_id)}/replay", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))


class AsyncAnalytics:
    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def get_organization_analytics(self, *, from_: str | None = None, to: str | None = None) -> m.OrganizationAnalytics:
        """Totals. Needs the scope calls:read."""
        return await self._client.answer(m.OrganizationAnalytics, Call("GET", "/api/analytics/organization", params={"from": from_, "to": to}))

    async def get_timeseries(self, *, from_: str | None = None, to: str | None = None, interval: Literal["day", "hour"] | None = None, agent_id: str | None = None) -> m.Timeseries:
        """Totals by hour or day. Needs the scope calls:read."""
        return await self._client.answer(m.Timeseries, Call("GET", "/api/analytics/timeseries", params={"from": from_, "to": to, "interval": interval, "agentId": agent_id}))


class AsyncJobs:
    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    def list_jobs(self, *, limit: int | None = None, sort: Literal["createdAt"] | None = None, order: Literal["asc", "desc"] | None = None, include_total: bool | None = None, created_at_ge: str | None = None, created_at_lt: str | None = None, state: str | None = None, kind: str | None = None, queue: str | None = None) -> AsyncRows[m.JobRow]:
        """List jobs of the services that the caller may read. Of the services that the caller may read."""
        params = {"limit": limit, "sort": sort, "order": order, "includeTotal": include_total, "createdAtGe": created_at_ge, "createdAtLt": created_at_lt, "state": state, "kind": kind, "queue": queue}
        return self._client.rows(m.JobRow, "/api/jobs", params, "cursor")

    async def get_job(self, id: str) -> m.Job:
        """Read a job."""
        return await self._client.answer(m.Job, Call("GET", f"/api/jobs/{segment(id)}"))

    async def cancel_job(self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Job:
        """Cancel a job."""
        return await self._client.answer(m.Job, Call("POST", f"/api/jobs/{segment(id)}/cancel", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))

    async def retry_job(self, id: str, *, if_match: str | None = None, idempotency_key: str | None = None) -> m.Job:
        """Run a failed or cancelled job again."""
        return await self._client.answer(m.Job, Call("POST", f"/api/jobs/{segment(id)}/retry", headers={name: value for name, value in (("If-Match", if_match),) if value is not None}, keyed=True, idempotency_key=idempotency_key))


class AsyncHealth:
    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def get_health(self) -> m.Health:
        """Health of the suite."""
        return await self._client.answer(m.Health, Call("GET", "/health"))

    async def get_live(self) -> m.Probe:
        """Liveness of this process."""
        return await self._client.answer(m.Probe, Call("GET", "/health/live"))

    async def get_ready(self) -> m.Probe:
        """Readiness of this process."""
        return await self._client.answer(m.Probe, Call("GET", "/health/ready"))


class AsyncGroups:
    def __init__(self, client: AsyncClient) -> None:
        self.accounts = AsyncAccounts(client)
        self.organization = AsyncOrganization(client)
        self.users = AsyncUsers(client)
        self.api_keys = AsyncAPIKeys(client)
        self.audit_log = AsyncAuditLog(client)
        self.agents = AsyncAgents(client)
        self.integrations = AsyncIntegrations(client)
        self.knowledge = AsyncKnowledge(client)
        self.documents = AsyncDocuments(client)
        self.call_logs = AsyncCallLogs(client)
        self.live_calls = AsyncLiveCalls(client)
        self.billing = AsyncBilling(client)
        self.operations = AsyncOperations(client)
        self.realtime = AsyncRealtime(client)
        self.webhooks_out = AsyncWebhooksOut(client)
        self.analytics = AsyncAnalytics(client)
        self.jobs = AsyncJobs(client)
        self.health = AsyncHealth(client)
