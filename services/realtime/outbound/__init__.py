"""What leaves the suite on an event's account: signed webhooks and e-mail."""
