"""The committed Python beside each .proto is what the pinned generator makes of it now, and nothing else lies there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "protos"


def generated(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*_pb2*.py*")
            if "__pycache__" not in path.parts}  # fmt: skip


def test_generated_protos_are_fresh(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "local.tools.protos", "--into", str(tmp_path)], check=True, cwd=ROOT)
    fresh, committed = generated(tmp_path), generated(PROTOS)
    assert sorted(committed) == sorted(fresh)
    assert [name for name in fresh if committed[name] != fresh[name]] == []
