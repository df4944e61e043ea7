"""What is fetched from providers of calls; here it is declared which of them can be asked. HTTP goes through libs.http
alone; reading what they say is domain."""

from collections.abc import Mapping

from services.calllog.domain import elevenlabs as _elevenlabs
from services.calllog.domain import retell as _retell

from . import elevenlabs, retell
from .sources import CallSource

# Whose calls and recordings the jobs fetch. Vapi's calls are not read yet, so there is nothing to fetch for them.
SOURCES: Mapping[str, CallSource] = {_elevenlabs.PROVIDER: elevenlabs, _retell.PROVIDER: retell}
