"""Realtime's plain HTTP doors, beside the sockets: server-sent events and probes."""
