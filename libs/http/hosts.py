"""What a Host header may say (RFC 9110, 7.2): a name or address and a port, and nothing else."""

import re

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+,;=-]+)(:[0-9]{0,5})?")


def is_host(text: str) -> bool:
    """Whether the value names a host; an empty one does not."""
    return _HOST.fullmatch(text) is not None
