"""The calllog service."""
