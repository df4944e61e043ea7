"""Organizations, people, sessions and API keys as values and rules; nothing here reads or writes anything."""
