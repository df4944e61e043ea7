"""Odd forms of pages, texts, tables and messages: what a person sees stands in the text once."""

from __future__ import annotations

from email.message import EmailMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest

from tests.unit.services.knowledge.extract.reading import lines


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<table><tr><th>Zone<th>Day<th>Fee<tr><td rowspan=2>North<td>Mon<td>15<tr><td>Tue<td>15"
         "<tr><td colspan=2>All<td>9</table>",
         ["Zone · Day · Fee", "North · Mon · 15", "North · Tue · 15", "All ·  · 9"]),
        ("<table><tr><th>a<th>b<th>c<tr><td>1<td rowspan=9>2<td>3<tr><td>4<td>5</table>",
         ["a · b · c", "1 · 2 · 3", "4 · 2 · 5"]),
        ("<table><tr><th rowspan=x>a<th colspan=99999999>b<tr><td>1<td>2</table>", ["a · b", "1 · 2"]),
    ],
)  # fmt: skip
def test_cells_that_reach_over_rows_and_columns_keep_the_columns(page: str, expected: list[str]) -> None:
    assert lines("a.html", page) == expected


@pytest.mark.parametrize(
    ("page", "encoding"),
    [
        ("<meta charset=windows-1252><p>Größe “täglich”", "utf-8"),
        ("<!-- <meta charset=koi8-r> --><meta charset=utf-8><p>Größe “täglich”", "utf-8"),
        ("<script>'<meta charset=koi8-r>'</script><meta charset=cp1252><p>Größe “täglich”", "cp1252"),
    ],
)
def test_a_page_is_read_in_the_encoding_that_it_has(page: str, encoding: str) -> None:
    assert lines("a.html", page.encode(encoding))[-1] == "Größe “täglich”"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Größe täglich “ok”", "mac_roman"), ("Größe täglich außer Montag", "cp850"),
        ("Склад закрыт по пятницам", "mac_cyrillic"), ("Öffnungszeiten: Mo–Fr", "cp1252"), ("naïve d’été", "cp1252"),
        ("ร้านเปิดทุกวัน", "utf-32-le"), ("🎉 Party 👨‍👩‍👧", "utf-16-le"), ("🎉 Party 👨‍👩‍👧", "utf-16-be"),
    ],
)  # fmt: skip
def test_encodings_beyond_the_usual_are_told(text: str, encoding: str) -> None:
    assert lines("a.txt", text.encode(encoding)) == [text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\n\nNot front matter.\n\n---\n\nMore.", ["Not front matter.", "More."]),
        ("---\ntitle: x\n---\n# Head", ["Head"]),
        ("---\n# a comment\ntags: [a]\n---\ntext", ["text"]),
        ("Use List<String> and <your-key>.", ["Use List<String> and <your-key>."]),
        ("a <b>bold</b> word<br>next <img src=x> end", ["a bold word", "next end"]),
    ],
)
def test_markdown_loses_no_words(text: str, expected: list[str]) -> None:
    assert lines("a.md", text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Report:,Prices,\nMade:,2026-01-01,\n,,\nname,price,unit\nawl,3,kg\n",
         ["Report:; Prices.", "Made:; 2026-01-01.", "name: awl; price: 3; unit: kg."]),
        ("2026-01-01,closed\n2026-01-02,open\n", ["2026-01-01; closed.", "2026-01-02; open."]),
        ("Phone,555-0101\nHours,9:00-17:00\n", ["Phone; 555-0101.", "Hours; 9:00-17:00."]),
        ("# exported\nname,price\nawl,12\n", ["# exported.", "name: awl; price: 12."]),
    ],
)  # fmt: skip
def test_a_header_is_told_from_titles_and_from_data(text: str, expected: list[str]) -> None:
    assert lines("a.csv", text) == expected


@pytest.mark.parametrize(
    ("header", "body", "encoding"),
    [
        ("", "Größe täglich", "utf-8"), ("text/plain; charset=us-ascii", "Größe täglich", "utf-8"),
        ("text/plain; charset=x-nope", "Größe täglich", "utf-8"), ("", "Склад закрыт по пятницам", "cp1251"),
        ("text/html; charset=gb2312", "客户可以退货㐀", "gb18030"),
        ("text/html", "<meta charset=koi8-r><p>Склад закрыт", "koi8-r"),
    ],
)  # fmt: skip
def test_a_message_is_read_in_the_encoding_that_it_has(header: str, body: str, encoding: str) -> None:
    declared = f"Content-Type: {header}\n" if header else ""
    head = f"From: a@x.example\nMIME-Version: 1.0\n{declared}Content-Transfer-Encoding: 8bit\n\n"
    assert lines("a.eml", head.encode() + body.encode(encoding))[-1] == body.rpartition(">")[2]


def test_every_part_of_a_message_is_read_and_of_alternatives_one() -> None:
    both = MIMEMultipart("alternative")
    both.attach(MIMEText("the plain form", "plain"))
    both.attach(MIMEText("<p>the rich form</p>", "html"))
    related = MIMEMultipart("related")
    related.attach(both)
    message = MIMEMultipart("mixed")
    message["From"] = "a@x.example"
    for one in (related, MIMEText("second", "plain"), MIMEText("<p>third</p>", "html")):
        message.attach(one)
    inner = EmailMessage()
    inner["Subject"] = "Sent on"
    inner.set_content("fourth")
    whole = EmailMessage()
    whole["From"] = "b@x.example"
    whole.set_content("")
    whole.add_attachment(inner)

    assert lines("a.eml", message.as_bytes()) == ["From: a@x.example", "the rich form", "second", "third"]
    assert lines("a.eml", whole.as_bytes()) == ["From: b@x.example", "Subject: Sent on", "fourth"]


@pytest.mark.parametrize(
    "page", ["", " <br>", "<html><body><div></div></body></html>", "<style>p{}</style><img src=a>"]
)
def test_an_empty_page_is_no_alternative(page: str) -> None:
    both = MIMEMultipart("alternative")
    both.attach(MIMEText("the plain form", "plain"))
    both.attach(MIMEText(page, "html"))
    assert lines("a.eml", both.as_bytes()) == ["the plain form"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('say,n\n"He said \\"hi\\", twice",1\n"a b",2', ['say: He said "hi", twice; n: 1.', "say: a b; n: 2."]),
        (
            'path,n\n"C:\\new\\",1\n"the ""C:\\x\\"" one",2',
            ["path: C:\\new\\; n: 1.", 'path: the "C:\\x\\" one; n: 2.'],
        ),
    ],
    ids=["of a database", "of a program for sheets"],
)
def test_quotes_in_cells_are_told_from_ends_of_cells(text: str, expected: list[str]) -> None:
    assert lines("a.csv", text.encode()) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (rb"{\rtf1 body{\shp{\*\shpinst{\sp{\sn x}{\sv 202}}{\shptxt boxed\par}}{\shprslt boxed}} end\par}",
         ["body boxed", "end"]),
        (rb"{\rtf1{\header head\par}{\footer foot\par}body\par}", ["head", "foot", "body"]),
        (rb"{\rtf1\mac\ansicpg10000 Gr\'9a\'a7e\par}", ["Größe"]),
        (rb"{\rtf1 above\par\trowd\cellx1\cellx2\pard\intbl Mon\par Tue\cell\pard\intbl 9-12\line 14-18\cell"
         rb"\pard\intbl\row\pard below\par end\line it\par}", ["above", "Mon Tue · 9-12 14-18", "below", "end", "it"]),
    ],
)  # fmt: skip
def test_shapes_and_margins_of_rtf_are_read(source: bytes, expected: list[str]) -> None:
    assert lines("a.rtf", source) == expected
