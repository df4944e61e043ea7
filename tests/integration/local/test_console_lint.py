"""The lint of the console finds what only the page with the mistake would show."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.tools.console_lint.__main__ import lint

CLEAN = 'import { html } from "./ui.js";\n\nexport function Page() {\n  return html`<p>Hello</p>`;\n}\n'
UI = "export const html = (parts, ...values) => [parts, values];\nexport const useState = () => [html];\n"
BROKEN = {
    "no-undef": CLEAN.replace("Hello", "${unknown}"),
    "no-unused-vars": CLEAN.replace("html }", "html, useState }"),
    "react-hooks/rules-of-hooks": CLEAN.replace("  return", "  if (html) useState();\n  return").replace(
        "html }", "html, useState }"
    ),
    "TS2554": CLEAN.replace("return html", "return useState(1) && html").replace("html }", "html, useState }"),
    "TS2339": CLEAN.replace("return html", "return html.nothing || html"),
}


def test_a_clean_module_passes(tmp_path: Path) -> None:
    (tmp_path / "ui.js").write_text(UI, "utf-8")
    (tmp_path / "page.js").write_text(CLEAN, "utf-8")
    assert lint(tmp_path) == 0


@pytest.mark.parametrize("rule", BROKEN)
def test_a_mistake_fails_by_its_rule(rule: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ui.js").write_text(UI, "utf-8")
    (tmp_path / "page.js").write_text(BROKEN[rule], "utf-8")
    assert lint(tmp_path) in (1, 2)
    assert rule in capfd.readouterr().out
