"""DOCX as blocks, from a document that python-docx wrote."""

from __future__ import annotations

from pathlib import Path

import docx

from services.knowledge.domain.blocks import Block
from services.knowledge.extract.word import read_docx


def test_headings_paragraphs_and_rows_are_read_in_order(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_heading("Title", 0)
    document.add_heading("Section", 2)
    document.add_paragraph("A paragraph\nof two lines.")
    table = document.add_table(1, 2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "left", "right"
    document.add_paragraph("")
    document.save(str(tmp_path / "a.docx"))

    assert list(read_docx(tmp_path / "a.docx")) == [
        Block("Title", 0, 1), Block("Section", 0, 2), Block("A paragraph of two lines."), Block("left · right"),
    ]  # fmt: skip
