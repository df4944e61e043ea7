"""The queue's tables: claims, leases, retention and their migrations. It must not run a handler or know the bus."""
