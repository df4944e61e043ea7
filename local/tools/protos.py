"""`make protos`: generate the committed Python beside each `.proto`, or into another folder to compare with (`--into`).

The version of the generator is pinned in requirements/dev.txt, so the output is the same on every machine.
"""

from __future__ import annotations

import argparse
import pathlib
import sys

from local.paths import ROOT

PROTOS = ROOT / "protos"


def generate(into: pathlib.Path) -> list[pathlib.Path]:
    """Write *_pb2.py, *_pb2.pyi and, where a file declares services, *_pb2_grpc.py(i) below `into`."""
    import grpc_tools
    from grpc_tools import protoc

    sources = sorted(path.relative_to(PROTOS) for path in PROTOS.rglob("*.proto"))
    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    bin_folder = pathlib.Path(sys.prefix) / "bin"
    plugins = [f"--plugin={name}={bin_folder / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")]
    outputs = [f"--{plugin}_out={into}" for plugin in ("python", "grpc_python", "mypy", "mypy_grpc")]
    arguments = ["protoc", f"-I{PROTOS}", f"-I{well_known}", *plugins, *outputs, *map(str, sources)]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc refused the files above")
    _remove_empty(into, sources)
    return sorted(into.rglob("*_pb2*.py*"))


def _remove_empty(into: pathlib.Path, sources: list[pathlib.Path]) -> None:
    """protoc writes *_pb2_grpc for files without a service too; nothing imports those."""
    for source in sources:
        if "\nservice " not in (PROTOS / source).read_text(encoding="utf-8"):
            for suffix in (".py", ".pyi"):
                (into / source).with_name(f"{source.stem}_pb2_grpc{suffix}").unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=pathlib.Path, default=PROTOS)
    written = generate(parser.parse_args().into)
    sys.stdout.write(f"{len(written)} files generated\n")


if __name__ == "__main__":
    main()
