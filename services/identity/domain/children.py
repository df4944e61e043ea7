"""The customers of an agency: organizations that have a parent. One level, so that no one acts through two of them."""

from __future__ import annotations

from datetime import datetime

from libs.errors import FailedPrecondition, InvalidArgument, NotFound, Violation

from .people import Organization, OrganizationStatus, edit_organization


def require_parent(parent_id: str, caller_org_id: str) -> None:
    """The children of a path are the caller's own; another organization's look as if it did not exist."""
    if parent_id != caller_org_id:
        raise NotFound("organization_not_found", "No such organization.")


def new_child(parent: Organization, child_id: str, name: str, time_zone: str, now: datetime) -> Organization:
    """A customer of this organization, which must have no parent itself."""
    if parent.parent_id:
        raise FailedPrecondition("child_has_no_children", "A customer of an agency cannot have customers itself.")
    blank = Organization(child_id, "", "UTC", now, now, 0, parent.id)
    return edit_organization(blank, name, time_zone or "UTC", now)


def edit_child(child: Organization, given: Organization, now: datetime) -> Organization:
    """The child with the name, the time zone and the status of `given`; the very same object when nothing differs."""
    if child.status is OrganizationStatus.ARCHIVED:
        raise FailedPrecondition("child_archived", "This organization is archived and changes no more.")
    if given.status is OrganizationStatus.ARCHIVED:
        found = Violation("#/status", "unknown_value", "Must be active or suspended. Delete it to archive it.")
        raise InvalidArgument("validation_failed", "The organization is not valid.", violations=[found])
    return edit_organization(child, given.name, given.time_zone, now, given.status)
