"""Shapes of text that a service checks and the gateway documents."""

LANGUAGE = (
    r"^[A-Za-z]{2,8}(-[A-Za-z]{3}){0,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|\d{3}))?"
    r"(-([A-Za-z0-9]{5,8}|\d[A-Za-z0-9]{3}))*(-[A-WY-Za-wy-z0-9](-[A-Za-z0-9]{2,8})+)*(-[xX](-[A-Za-z0-9]{1,8})+)?$"
)
"""RFC 5646: language[-extlang][-script][-region][-variant...][-extension...][-privateuse]."""
