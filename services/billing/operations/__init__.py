"""Acts that several doors of billing share: the books, and the settlement of payments."""

from .books import CALCULATE, SERVICE, Books
from .settlement import Settlement

__all__ = ["CALCULATE", "SERVICE", "Books", "Settlement"]
