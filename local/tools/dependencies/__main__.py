"""`python -m local.tools.dependencies sbom | audit [--advisories FOLDER] [--closed]`.

`--closed` is for `make check`, which also runs where no advisory service can be reached.
"""

from __future__ import annotations

import argparse
import sys

from local.tools.dependencies import audit, bills


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.tools.dependencies")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("sbom", help="write the bills of materials into var/sbom")
    auditing = commands.add_parser("audit", help="ask for withdrawn releases and known vulnerabilities")
    auditing.add_argument("--advisories", default="", help="a folder of OSV files, instead of PyPI's service")
    auditing.add_argument("--closed", action="store_true", help="a source that does not answer is no failure")
    options = parser.parse_args()
    if options.command == "sbom":
        return bills.write()
    return audit.main(options.advisories, network_may_be_closed=options.closed)


if __name__ == "__main__":
    sys.exit(main())
