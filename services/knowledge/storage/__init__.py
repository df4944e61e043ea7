"""Entries, documents, chunks and searches as rows. Reads take an organisation, writes their transaction."""
