"""Entries, documents, chunks and searches as rows. Reads take an organization, writes their transaction."""
