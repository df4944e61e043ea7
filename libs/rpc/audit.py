"""What the audit log shall have of a write, on its way from the gateway to the service that does it."""

from libs.context import Audited

AUDIT_HEADER = "x-audit"
# Stands for an empty field, because the fields are separated by spaces.
_NONE = "-"


def audit_header(audited: Audited) -> str:
    """The fields in one value of metadata; none of them has a space."""
    fields = (audited.id, audited.action, audited.target_id, audited.client_address)
    return " ".join(field or _NONE for field in fields)


def read_audit_header(text: str) -> Audited | None:
    """What a gateway sent; None without it."""
    fields = ["" if field == _NONE else field for field in text.split(" ")]
    return Audited(*fields) if len(fields) == 4 else None
