"""Remembers what was loaded, for a bounded time: libs.cache.memory in this process. Never the only copy of anything.

Nothing is imported here, so that a process which only pings Redis does not pay for a client.
"""
