"""The mails that the suite writes: plain text from a few values, no secrets but the link of a registration. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from decimal import Decimal
from urllib.parse import urlsplit

from suite.mails import MailTemplate

# Millionths in one unit of money.
_MICRO = 1_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class MailText:
    subject: str
    text: str


def with_way_out(mail: MailText, link: str) -> MailText:
    """The mail with the link that ends mails of its kind."""
    reason = "You get this mail as an owner of the organization. To get no more of its kind, open:"
    return MailText(mail.subject, f"{mail.text}\n{reason}\n{link}\n")


def webhook_values(endpoint_id: str, url: str, reason: str) -> dict[str, str]:
    """What a mail may say of an endpoint: its host alone, because paths and queries of webhooks carry secrets."""
    return {"endpointId": endpoint_id, "host": urlsplit(url).hostname or "", "reason": reason}


def webhook_disabled(values: Mapping[str, str]) -> MailText:
    return MailText(
        "A webhook endpoint was disabled",
        f"The webhook endpoint {values['endpointId']} at {values['host']} was disabled (reason: {values['reason']}).\n"
        "It gets no more events. When the receiver is well again, enable the endpoint and replay what it missed.\n",
    )


def webhook_failing(values: Mapping[str, str]) -> MailText:
    return MailText(
        "A webhook endpoint is failing",
        f"The webhook endpoint {values['endpointId']} at {values['host']} has taken no delivery since "
        f"{values['since']}.\nIf that goes on until {values['until']}, it is disabled. Its delivery log shows each "
        "request and response.\n",
    )


def credit_low(values: Mapping[str, str]) -> MailText:
    amount = Decimal(int(values["availableMicros"])) / _MICRO
    return MailText(
        "Your credit is running low",
        f"Your organization has {amount:.2f} {values['currency']} of credit left.\n"
        "Top it up, so that your agents can go on taking calls.\n",
    )


def host_missing(values: Mapping[str, str]) -> MailText:
    return MailText(
        f"The DNS record of {values['host']} is gone",
        f"The TXT record that proves {values['host']} to be yours is gone since {values['since']}.\n"
        f"Set it again before {values['until']}, or the host shows your organization no more.\n",
    )


def verify_address(values: Mapping[str, str]) -> MailText:
    return MailText(
        "Verify your e-mail address",
        f"You, or a stranger, registered {values['organizationName']} with this address.\n\n"
        f"Open this link within 24 hours to create the account. It works once:\n{values['link']}\n\n"
        "If it was not you, do nothing: without the link no account is created.\n",
    )


def address_taken(values: Mapping[str, str]) -> MailText:
    return MailText(
        "Your address is registered already",
        "You, or a stranger, tried to register with this address. It has an account, and nothing was changed.\n"
        "Sign in with your password.\n",
    )


def invitation(values: Mapping[str, str]) -> MailText:
    product = f" at {values['productName']}" if values.get("productName") else ""
    return MailText(
        f"You are invited to {values['organizationName']}{product}",
        f"You are invited to join {values['organizationName']}{product} with the role {values['role']}.\n\n"
        f"Open this link within 7 days to accept. It works once:\n{values['link']}\n\n"
        "If you do not know the organization, do nothing.\n",
    )


def password_reset(values: Mapping[str, str]) -> MailText:
    return MailText(
        "Set a new password",
        "You, or a stranger, asked for a new password of your account.\n\n"
        f"Open this link within an hour to set one. It works once:\n{values['link']}\n\n"
        "If it was not you, do nothing: without the link nothing changes.\n",
    )


def password_unknown(values: Mapping[str, str]) -> MailText:
    return MailText(
        "There is no account with this address",
        "You, or a stranger, asked for a new password of an account with this address. There is none.\n"
        "Try your other addresses, or register.\n",
    )


def email_confirm(values: Mapping[str, str]) -> MailText:
    return MailText(
        "Confirm your new e-mail address",
        f"Open this link within 24 hours to sign in with this address from now on. It works once:\n{values['link']}\n\n"
        "If you did not ask for it, do nothing.\n",
    )


def email_changed(values: Mapping[str, str]) -> MailText:
    return MailText(
        "Your e-mail address was changed",
        f"Your account has the address {values['newEmail']} now; this one signs in no more.\n"
        "If it was not you, write to your organization's owner at once.\n",
    )


def _notice(subject: str, what: str) -> Callable[[Mapping[str, str]], MailText]:
    text = f"{what}\nIf it was not you, set a new password at once, and write to your organization's owner.\n"
    return lambda values: MailText(subject, text)


TEMPLATES: Mapping[str, Callable[[Mapping[str, str]], MailText]] = {
    MailTemplate.WEBHOOK_ENDPOINT_DISABLED: webhook_disabled,
    MailTemplate.WEBHOOK_ENDPOINT_FAILING: webhook_failing,
    MailTemplate.CREDIT_LOW: credit_low,
    MailTemplate.WHITE_LABEL_HOST_MISSING: host_missing,
    MailTemplate.REGISTRATION_VERIFY: verify_address,
    MailTemplate.REGISTRATION_TAKEN: address_taken,
    MailTemplate.INVITATION: invitation,
    MailTemplate.PASSWORD_RESET: password_reset,
    MailTemplate.PASSWORD_UNKNOWN: password_unknown,
    MailTemplate.PASSWORD_CHANGED: _notice("Your password was changed", "The password of your account was changed."),
    MailTemplate.EMAIL_CONFIRM: email_confirm,
    MailTemplate.EMAIL_CHANGED: email_changed,
    MailTemplate.OPENID_LINKED: _notice(
        "A new way to sign in", "Your account was signed in to with your OpenID provider."
    ),
    MailTemplate.SECOND_FACTOR_ENABLED: _notice(
        "Your second factor is on", "Each login needs a code of your authenticator now."
    ),
    MailTemplate.SECOND_FACTOR_DISABLED: _notice("Your second factor is off", "Logins need the password alone now."),
    MailTemplate.SECOND_FACTOR_LOCKED: _notice(
        "Codes of your authenticator are refused",
        "Someone who knows your password has tried a hundred codes. Until you set a new password by mail, or sign in "
        "with a recovery code, no code of the authenticator is taken.",
    ),
}
