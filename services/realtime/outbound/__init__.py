"""Outbound messages about events: signed webhooks and e-mail."""
