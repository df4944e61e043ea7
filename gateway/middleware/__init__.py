"""The layers that every request passes: plain ASGI classes, one concern each. gateway.app gives their order."""
