"""Mechanisms that two deployables need and that name no business noun (docs/architecture.md)."""
