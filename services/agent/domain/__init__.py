"""Agents, their versions and integrations as values and rules; nothing here reads or writes anything."""
