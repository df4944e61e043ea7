"""SQL of the realtime schema: the event log, webhook endpoints and deliveries, and the local mailbox."""
