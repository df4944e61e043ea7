"""Calls and their analytics as plain data and pure rules. Must not do I/O."""
