"""The project's folder, from which every path of the local suite is derived."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
