"""`make policy`: checkov reads every overlay as kubectl builds it.

It lives in an environment of its own (290 MB, var/checkov).

Its version is pinned; its own dependencies are not locked with ours, because it asks for other versions of them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from local.paths import ROOT
from local.terminal import say
from local.tools.environments import ensure_tools

CHECKOV = "checkov==3.3.30"
# Together what is applied together.
OVERLAYS = (("production",), ("full", "restore"), ("local",))


def main() -> int:
    environment = ensure_tools("checkov", [CHECKOV])
    with tempfile.TemporaryDirectory() as folder:
        for overlays in OVERLAYS:
            built = Path(folder) / f"{overlays[0]}.yaml"
            built.write_bytes(b"---\n".join(_built(overlay) for overlay in overlays))
            _run([str(environment / "bin" / "checkov"), "--skip-download", "--config-file",
                  str(ROOT / "k8s" / "checkov.yaml"), "--file", str(built)])  # fmt: skip
            say(f"{', '.join(overlays)}: passes")
    return 0


def _built(overlay: str) -> bytes:
    kubectl = Path(sys.prefix) / "bin" / "kubectl"
    return _run([str(kubectl), "kustomize", str(ROOT / "k8s" / "overlays" / overlay)], capture=True)


def _run(command: list[str], *, capture: bool = False) -> bytes:
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE if capture else None, check=False)  # noqa: S603
    if done.returncode != 0:
        sys.exit(done.returncode)
    return done.stdout or b""


if __name__ == "__main__":
    sys.exit(main())
