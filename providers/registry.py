"""The providers that the suite knows. A provider is one folder and one entry here (docs/adding-a-provider.md)."""

from collections.abc import Mapping

from providers import bland, elevenlabs, retell, vapi
from providers.interface.provider import Provider

PROVIDERS: Mapping[str, Provider] = {
    provider.name: provider for provider in (elevenlabs.PROVIDER, retell.PROVIDER, vapi.PROVIDER, bland.PROVIDER)
}
# The provider of an external agent id that comes without one.
DEFAULT_PROVIDER = elevenlabs.PROVIDER.name
# In place of a provider: the organization's own system runs the call and tells of it.
OWN_SYSTEM = "custom"
