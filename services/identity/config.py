"""What the identity service reads from its environment."""

from __future__ import annotations

from dataclasses import dataclass

from libs.config import ServiceSettings, setting


@dataclass(frozen=True, slots=True)
class IdentitySettings(ServiceSettings):
    password_workers: int = setting("PASSWORD_WORKERS", 2, help="threads that compute argon2id")
    limits: str = setting("LIMITS", "normal", help="normal, or bench to lift sign-in limits for benches and fault runs")

    def problems(self) -> list[str]:
        found = ServiceSettings.problems(self)
        if self.limits not in ("normal", "bench"):
            found.append("LIMITS must be normal or bench")
        elif self.production and self.limits == "bench":
            found.append("LIMITS must be normal in production: bench lifts the limits of sign-in")
        return found
