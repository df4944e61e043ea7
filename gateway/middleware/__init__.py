"""What every request passes, one concern a class, each plain ASGI. The order stands in gateway.app."""
