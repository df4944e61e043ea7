"""`make protos`: generate the committed Python beside each `.proto`, or into another folder to compare with (`--into`).

The version of the generator is pinned in requirements/dev.txt, so the output is the same on every machine.
"""

from __future__ import annotations

import argparse
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"


def generate(into: pathlib.Path) -> list[pathlib.Path]:
    """Write *_pb2.py, *_pb2.pyi and, where a file declares services, *_pb2_grpc.py(i) below `into`."""
    import grpc_tools
    from grpc_tools import protoc

    sources = sorted(path.relative_to(PROTOS) for path in PROTOS.rglob("*.proto"))
    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    outputs = [f"--{plugin}_out={into}" for plugin in ("python", "grpc_python", "mypy", "mypy_grpc")]
    arguments = ["protoc", f"-I{PROTOS}", f"-I{well_known}", *outputs, *map(str, sources)]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc refused the files above")
    return [path for path in sorted(into.rglob("*_pb2*")) if not _without_services(path)]


def _without_services(path: pathlib.Path) -> bool:
    """protoc writes an empty *_pb2_grpc for files without a service; nobody imports it."""
    if "_pb2_grpc" not in path.name or "Servicer" in path.read_text(encoding="utf-8"):
        return False
    path.unlink()
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=pathlib.Path, default=PROTOS)
    written = generate(parser.parse_args().into)
    sys.stdout.write(f"{len(written)} files generated\n")


if __name__ == "__main__":
    main()
