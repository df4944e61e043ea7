"""The console's files: their release name, their codings, and what of others they contain."""

import base64
import gzip
import hashlib
import json
import re
import shutil
from pathlib import Path

import brotli
import pytest
import zstandard

from gateway.console.assets import PAGE, STATIC, VENDORED, Console
from services.knowledge.domain.media import PICTURES, SUPPORTED

ENTRIES = json.loads(VENDORED.read_text("utf-8"))
BY_NAME = {entry["import"]: STATIC / "vendor" / entry["file"] for entry in ENTRIES if "import" in entry}
OURS = [path for path in STATIC.rglob("*.js") if path.parent.name != "vendor"]


@pytest.fixture(scope="module")
def console() -> Console:
    made = Console.read()
    made.compress()
    return made


def test_a_changed_byte_in_any_file_makes_another_release(tmp_path: Path, console: Console) -> None:
    for name in ("console.css", "pages/calls.js", PAGE, "vendor/preact.js"):
        folder = tmp_path / name.replace("/", "-")
        shutil.copytree(STATIC, folder)
        assert Console.read(folder).release == console.release
        (folder / name).write_bytes((folder / name).read_bytes() + b"\n")
        assert Console.read(folder).release != console.release, name


def test_a_renamed_file_makes_another_release(tmp_path: Path, console: Console) -> None:
    shutil.copytree(STATIC, tmp_path / "static")
    (tmp_path / "static" / "icon.svg").rename(tmp_path / "static" / "mark.svg")
    assert Console.read(tmp_path / "static").release != console.release


def test_each_coding_gives_the_file_back(console: Console) -> None:
    unpack = {
        "br": brotli.decompress,
        "zstd": lambda body: zstandard.ZstdDecompressor().decompress(body),
        "gzip": gzip.decompress,
    }
    large = [asset for asset in (console.page, *console.files.values()) if len(asset.body) >= 1024]
    assert len(large) > 20
    for asset in large:
        assert {coding: unpack[coding](packed) for coding, packed in asset.forms.items()} == dict.fromkeys(
            unpack, asset.body
        )
        assert len(asset.forms["br"]) < len(asset.body)


def test_the_page_names_files_of_its_release_that_exist(console: Console) -> None:
    named = re.findall(r'(?:href|src)="(/[^"]*)"', console.page.body.decode())
    assert len(named) > 20
    prefix = f"/app/{console.release}/"
    assert [path for path in named if not path.startswith(prefix)] == []
    assert {path.removeprefix(prefix) for path in named} <= set(console.files)
    assert b"{{" not in console.page.body


def test_the_page_has_nothing_inline_but_the_import_map_that_its_hash_names(console: Console) -> None:
    page = console.page.body.decode()
    inline = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", page)
    assert re.findall(r"<style|\sstyle=|\son\w+=", page) == []
    assert [set(json.loads(text)["imports"]) for text in inline] == [set(BY_NAME)]
    digest = base64.b64encode(hashlib.sha256(inline[0].encode()).digest()).decode()
    assert console.import_map == f"'sha256-{digest}'"
    files = [path.split("/", 3)[3] for path in json.loads(inline[0])["imports"].values()]
    assert [name for name in files if name not in console.files] == []


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.relative_to(STATIC).as_posix())
def test_every_import_names_a_file_by_its_relative_path_or_a_vendored_package(path: Path) -> None:
    text = path.read_text("utf-8")
    names = re.findall(r"""(?:from\s+|import\s+|import\()["']([^"']+)["']""", text)
    for name in names:
        found = (path.parent / name).resolve() if name.startswith(".") else BY_NAME.get(name)
        assert found is not None, f"{path.name} imports {name}"
        assert found.is_file(), f"{path.name} imports {name}"


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.relative_to(STATIC).as_posix())
def test_no_module_makes_html_of_text_or_asks_another_site(path: Path) -> None:
    text = path.read_text("utf-8")
    dangerous = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|dangerouslySet|\beval\(|new Function"
    assert re.findall(dangerous, text) == []
    assert re.findall(r"""["'`]\w*:?//[\w.]+""", text.replace("http://www.w3.org/2000/svg", "")) == []


def test_the_upload_offers_every_kind_of_document_that_is_read() -> None:
    text = (STATIC / "pages" / "knowledge-upload.js").read_text("utf-8")
    accepted = set(re.findall(r"\.[a-z]+(?=[,\"])", text.partition("const ACCEPTED")[2].partition(";")[0]))
    assert {f".{media.extension}" for media in (*SUPPORTED, *PICTURES)} <= accepted


def test_vendored_files_are_those_of_their_packages() -> None:
    folder = STATIC / "vendor"
    assert {entry["file"] for entry in ENTRIES} == {path.name for path in folder.glob("*.js")}
    for entry in ENTRIES:
        assert hashlib.sha256((folder / entry["file"]).read_bytes()).hexdigest() == entry["sha256"], entry["file"]
    licenses = {path.name: path.read_text("utf-8") for path in folder.glob("LICENSE.*.txt")}
    assert set(licenses) == {"LICENSE.centrifuge.txt", "LICENSE.htm.txt", "LICENSE.lean-qr.txt", "LICENSE.preact.txt"}
    assert "MIT" in licenses["LICENSE.centrifuge.txt"]
    assert "Apache License" in licenses["LICENSE.htm.txt"]
