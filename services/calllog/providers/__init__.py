"""What is fetched from providers of calls; here it is declared which of them can be asked. HTTP goes through libs.http
alone; reading what they say is domain."""

from collections.abc import Mapping

from services.calllog.domain import elevenlabs as _elevenlabs
from services.calllog.domain import retell as _retell
from services.calllog.domain import vapi as _vapi

from . import elevenlabs, retell, vapi
from .sources import CallSource

# Whose calls and recordings the jobs fetch.
SOURCES: Mapping[str, CallSource] = {
    _elevenlabs.PROVIDER: elevenlabs,
    _retell.PROVIDER: retell,
    _vapi.PROVIDER: vapi,
}
