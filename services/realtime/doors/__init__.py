"""Realtime's HTTP endpoints beside the sockets: server-sent events and probes."""
