"""`make alerts`: promtool checks the rules of k8s/components/monitoring and sees each alert fire on its trouble.

promtool comes with Debian's package `prometheus`; it is no Python package, so `make check` does without it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from local.paths import ROOT
from local.terminal import fail, say

RULES = ROOT / "k8s" / "components" / "monitoring" / "rules.yaml"
TESTS = ROOT / "tests" / "manifests" / "alerts.test.yaml"


def main() -> int:
    promtool = shutil.which("promtool")
    if promtool is None:
        return fail("promtool is not installed. On Debian and Ubuntu:  apt-get install prometheus")
    with tempfile.TemporaryDirectory() as folder:
        # promtool reads plain rule files, not the custom resource around them.
        groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["spec"]["groups"]
        (Path(folder) / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")
        tests = yaml.safe_load(TESTS.read_text(encoding="utf-8")) | {"rule_files": ["rules.yaml"]}
        (Path(folder) / "alerts.yaml").write_text(yaml.safe_dump(tests), encoding="utf-8")
        for command in (("check", "rules", "rules.yaml"), ("test", "rules", "alerts.yaml")):
            if subprocess.run([promtool, *command], cwd=folder, check=False).returncode != 0:  # noqa: S603 its own files
                return 1
    say("every alert fires on its trouble and is silent without")
    return 0


if __name__ == "__main__":
    sys.exit(main())
