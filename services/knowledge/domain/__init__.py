"""Entries, documents, chunks and what is asked of them, as values and rules; nothing here reads or writes anything."""
