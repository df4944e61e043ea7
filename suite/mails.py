"""The mails that the suite writes, by name. Identity asks realtime for them across an event, so both read the names
here; realtime has the texts."""

import enum


class MailTemplate(enum.StrEnum):
    """The name of a mail, as events and jobs carry it."""

    REGISTRATION_VERIFY = "registration.verify"
    REGISTRATION_TAKEN = "registration.taken"
    INVITATION = "invitation"
    PASSWORD_RESET = "password.reset"  # noqa: S105 the name of a mail
    PASSWORD_UNKNOWN = "password.unknown"  # noqa: S105
    PASSWORD_CHANGED = "password.changed"  # noqa: S105
    EMAIL_CONFIRM = "email.confirm"
    EMAIL_CHANGED = "email.changed"
    OPENID_LINKED = "openid.linked"
    SECOND_FACTOR_ENABLED = "second_factor.enabled"
    SECOND_FACTOR_DISABLED = "second_factor.disabled"
    SECOND_FACTOR_LOCKED = "second_factor.locked"
    WEBHOOK_ENDPOINT_FAILING = "webhook_endpoint.failing"
    WEBHOOK_ENDPOINT_DISABLED = "webhook_endpoint.disabled"
    CREDIT_LOW = "credit.low"
    WHITE_LABEL_HOST_MISSING = "white_label_host.missing"
