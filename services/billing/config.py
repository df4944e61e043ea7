"""Billing's settings."""

from dataclasses import dataclass

from libs.config import ServiceSettings, setting
from suite.services import CALLLOG


@dataclass(frozen=True, slots=True)
class BillingSettings(ServiceSettings):
    calllog_grpc: str = setting(CALLLOG.address_setting, CALLLOG.local_address, help="host:port, comma list")
    plan: str = setting("BILLING_PLAN", "plan_standard", help="plan of a new organisation")
    trial_grant_micros: int = setting("TRIAL_GRANT_MICROS", 10_000_000, help="credit of a new organisation, millionths")
    low_credit_micros: int = setting("LOW_CREDIT_MICROS", 2_000_000, help="credit.low is told below this")
