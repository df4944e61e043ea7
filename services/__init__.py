"""The six services: one folder each, one shape (docs/architecture.md)."""
