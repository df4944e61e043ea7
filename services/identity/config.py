"""What the identity service reads from its environment."""

from __future__ import annotations

from dataclasses import dataclass

from libs.config import ServiceSettings, setting


@dataclass(frozen=True, slots=True)
class IdentitySettings(ServiceSettings):
    password_workers: int = setting("PASSWORD_WORKERS", 2, help="threads that compute argon2id")
    limits: str = setting("LIMITS", "normal", help="normal, or bench to lift sign-in limits for benches and fault runs")
    email_verification: str = setting(
        "EMAIL_VERIFICATION", "", help="link or none; without it link in production and none locally"
    )

    @property
    def verifies_by_mail(self) -> bool:
        """Whether an account exists only once a mailed link was followed."""
        return self.email_verification == "link" or (not self.email_verification and self.production)

    def problems(self) -> list[str]:
        found = ServiceSettings.problems(self)
        if self.limits not in ("normal", "bench"):
            found.append("LIMITS must be normal or bench")
        elif self.production and self.limits == "bench":
            found.append("LIMITS must be normal in production: bench lifts the limits of sign-in")
        if self.email_verification not in ("", "link", "none"):
            found.append("EMAIL_VERIFICATION must be link or none")
        elif self.production and self.email_verification == "none":
            found.append("EMAIL_VERIFICATION must be link in production: accounts without it answer who is registered")
        return found
