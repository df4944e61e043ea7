"""The tree keeps the rules of the house that imports cannot express."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract import tree_rules

ROOT = Path(__file__).resolve().parents[2]

# Who may pass the fence between organizations, and why no organization is known there.
ENGINE = "the queue's tables belong to no organization; a job carries its own"
SYSTEM_CALLERS: dict[str, str] = {
    "libs/events/consumer.py": "asks the inbox how far the consumer is in the stream of all organizations",
    "libs/events/dead_letters.py": "dead events have no row security: every query compares the organization itself",
    "libs/events/delivery.py": "the event names its organization; the inbox row and the effect are one transaction",
    "libs/rpc/access.py": "engine tables have no row security: every method compares the organization itself",
    "libs/jobs/store/claims.py": ENGINE,
    "libs/jobs/context.py": "a job of no organization (a sweep) finishes; all others in a tenant transaction",
    "libs/jobs/enqueue.py": ENGINE,
    "libs/jobs/reencryption.py": "encrypts anew what a key encrypted, whichever organization it belongs to",
    "libs/jobs/admin/queries.py": ENGINE,
    "libs/jobs/store/leases.py": ENGINE,
    "libs/jobs/store/retention.py": ENGINE,
    "libs/jobs/worker/schedule.py": ENGINE,
    "services/identity/storage/audit.py": "the verifier and the sealing read every organization's chain",
    "libs/jobs/admin/servicer.py": "engine tables have no row security: it compares the job's organization itself",
    "services/agent/storage/integrations.py": "an inbound webhook names only its token",
    "services/billing/operations/settlement.py": "a payment provider's notice names a checkout and no organization",
    "services/billing/storage/accounts.py": "locally the organization that was billed first operates the suite",
    "services/billing/storage/usage.py": "meters are shared; the sweep looks for organizations with unrated usage",
    "services/calllog/jobs/aggregate.py": "what calls of every organization add to the roll-ups is added up together",
    "services/calllog/jobs/retention.py": "retention sweeps the webhooks and commands of all organizations",
    "services/calllog/storage/analytics.py": "the roll-up looks for organizations whose calls changed",
    "services/calllog/storage/links.py": "the reconciler visits every organization's provider",
    "services/identity/storage/authentication.py": "a session or key is known by its hash before its organization",
    "services/identity/storage/pending.py": "a mailed link names a registration and no address",
    "services/identity/storage/account_tokens.py": "a mailed link names a token and no account",
    "services/identity/storage/white_labels.py": "a page names only its host, or the digest of a logo",
    "services/identity/storage/request_limits.py": "the operators of a local suite are its oldest organization",
    "services/identity/storage/openid_links.py": "a provider names only its subject",
    "services/identity/storage/accounts.py": "a login names only an e-mail address",
    "services/identity/storage/invitations.py": "a mailed link names an invitation and no organization",
    "services/realtime/jobs/sweep.py": "retention sweeps the event log of all organizations",
    "services/realtime/storage/event_log.py": "an instance follows the channels of all organizations that listen",
}


@pytest.mark.parametrize("rule", tree_rules.RULES, ids=lambda rule: rule.__name__)
def test_rule(rule: Callable[[Path], list[str]]) -> None:
    assert rule(ROOT) == []


def test_only_listed_modules_reach_all_organizations() -> None:
    assert tree_rules.system_doors(ROOT) == set(SYSTEM_CALLERS)
