"""Documents of many forms, each built here: encodings, tables, e-mail, filled forms."""

from __future__ import annotations

import io
from email.message import EmailMessage

import pytest
from reportlab.pdfgen.canvas import Canvas

from services.knowledge.domain.media import recognize
from tests.unit.services.knowledge.extract.office_files import docx, paragraph, run
from tests.unit.services.knowledge.extract.reading import blocks_in


def read(name: str, content: bytes) -> str:
    media = recognize(name, "", content[:8192])
    return "\n".join(block.text for block in blocks_in(content, media))


TEXTS = [
    ("shift_jis", "営業時間は午前九時から午後五時までです"), ("euc_jp", "お問い合わせは受付までお願いします"),
    ("iso2022_jp", "配送は無料です。返品は三十日以内"), ("gb18030", "客户可以在十四天内退货，客服中心每天开放"),
    ("big5", "顧客可以在三十天內申請退款"), ("cp949", "매장은 월요일부터 금요일까지 영업합니다"),
    ("koi8_r", "Магазин открыт с понедельника по пятницу"), ("cp866", "Касса закрыта на обед до двух часов"),
    ("cp1255", "החנות פתוחה בימים ראשון עד חמישי"), ("cp1256", "المتجر مفتوح من الأحد إلى الخميس"),
    ("cp874", "ร้านเปิดทุกวันจันทร์ถึงวันศุกร์"), ("cp1253", "Το κατάστημα είναι ανοιχτό κάθε μέρα"),
    ("cp1254", "Mağaza pazartesi günleri kapalıdır, İstanbul şubesi"), ("cp1250", "Obchod je otevřen každý den"),
    ("iso8859_15", "Prix: 12 € à Besançon"), ("utf-16-le", "Магазин открыт\nкаждый день"),
    ("utf-16-be", "Ships leave at noon."), ("utf-16-le", "港の事務所は毎週火曜日に休みます。\n電話は 03-1234"),
]  # fmt: skip


@pytest.mark.parametrize(("encoding", "text"), TEXTS)
def test_a_text_without_a_mark_is_read_in_its_encoding(encoding: str, text: str) -> None:
    assert read("a.txt", text.encode(encoding)) == " ".join(text.split())


def test_one_broken_byte_does_not_change_the_encoding_of_a_page() -> None:
    page = "<meta charset=utf-8><p>Größe, Fähre, täglich</p>".encode()
    assert "Größe" in read("a.html", page + b"<p>\xff</p>")
    assert "Größe 12 €" in read("a.html", "<meta charset=utf-8><p>Größe 12 €</p>".encode("cp1252"))


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("sep=;\r\nname;price\r\nawl;12,50\r\n", "name: awl; price: 12,50."),
        ("name,shelf\rawl,south\r", "name: awl; shelf: south."),
        ("Prices of 2024,,\n,,\nname,price,unit\nawl,3,kg\n", "name: awl; price: 3; unit: kg."),
        ("Prices of 2024\nMade on 2 May, by hand\n\nname;price\nawl;3\nsaw;4\n", "name: awl; price: 3."),
        ("region,2021,2022\nnorth,10,12\n", "region: north; 2021: 10; 2022: 12."),
        (",2021,2022\nnorth,10,12\n", "north; 2021: 10; 2022: 12."),
        (",berth,price\n0,north,40\n", "0; berth: north; price: 40."),
        ("name,name,price\na,b,3\n", "name: a; name: b; price: 3."),
        ("name;price;\nawl;3;\n", "name: awl; price: 3."),
        ("1,2,3\n4,5,6\n", "4; 5; 6."),
        ('name,say\na,"he said ""hi"", twice"\n', 'name: a; say: he said "hi", twice.'),
    ],
)
def test_a_row_of_a_table_names_its_columns(text: str, row: str) -> None:
    assert row in read("a.csv", text.encode()).split("\n")


def test_a_table_of_a_page_repeats_its_header() -> None:
    page = b"<table><tr><th>Tool<th>Price</tr><tr><td><p>Awl</p><td><p>3</p></tr><tr><td>Saw<td></tr></table>"
    blocks = blocks_in(page, recognize("a.html", "", page))
    assert [(block.text, block.header) for block in blocks] == [
        ("Tool · Price", ""), ("Awl · 3", "Tool · Price"), ("Saw", "Tool · Price"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (rb"{\rtf1\ansi\uc1 a \u-10179?\u-8694? b\par}", "a 😊 b"),
        (rb"{\rtf1\ansi\ansicpg932{\fonttbl{\f0\fcharset128 M;}}\f0 \'8d\'60\'82\'cc\par}", "港の"),
        (rb"{\rtf1\ansi\ansicpg1250 p\'f8\'edli\'9a\par}", "příliš"),
        (rb"{\rtf1\ansi body{\super\chftn}{\footnote\pard\plain\chftn note} rest\par}", "body note rest"),
        (rb'{\rtf1\ansi see {\field{\*\fldinst HYPERLINK "http://x"}{\fldrslt the site}} ok\par}', "see the site ok"),
    ],
)
def test_rtf_is_read_by_its_words(source: bytes, text: str) -> None:
    assert " ".join(read("a.rtf", source).split()) == text


def test_an_e_mail_is_read_with_its_headers_its_richest_body_and_its_attachments() -> None:
    inner = EmailMessage()
    inner["Subject"] = "Inner subject"
    inner.set_content("inner words")
    message = EmailMessage()
    message["Subject"], message["From"] = "Größe und Café", "Jörg Müller <j@x.example>"
    message.set_content("Plain words")
    message.add_alternative("<p>Rich <b>words</b> täglich</p>", subtype="html", charset="iso-8859-15")
    message.add_attachment(b"name;price\nawl;3\n", maintype="text", subtype="csv", filename="Preisliste Größe.csv")
    message.add_attachment(b"%PDF-broken", maintype="application", subtype="pdf", filename="broken.pdf")
    message.add_attachment(inner)

    text = read("a.eml", message.as_bytes())

    assert "Subject: Größe und Café; From: Jörg Müller <j@x.example>" in text
    assert "Rich words täglich" in text
    assert "Plain words" not in text
    assert "Attachment: Preisliste Größe.csv\nname: awl; price: 3." in text
    assert "Attachment: broken.pdf" in text
    assert "Subject: Inner subject\ninner words" in text


def test_a_filled_form_says_what_each_field_and_button_holds() -> None:
    target = io.BytesIO()
    page = Canvas(target)
    form = page.acroForm
    form.textfield(name="name", value="Heron", x=72, y=700, tooltip="Full name")
    form.checkbox(name="agree", checked=True, x=72, y=650, tooltip="Agrees to terms")
    form.checkbox(name="news", checked=False, x=72, y=630, tooltip="Newsletter")
    form.choice(name="berth", value="North", options=["North", "South"], x=72, y=600, width=90, height=20)
    form.radio(name="size", value="big", selected=True, x=72, y=450)
    form.radio(name="size", value="small", selected=False, x=92, y=450)
    page.showPage()
    page.save()

    lines = read("a.pdf", target.getvalue()).split("\n")

    assert {"Heron", "North", "Agrees to terms: Yes", "Newsletter: Off", "size: big"} <= set(
        " ".join(lines[:1]).split()
    ) | set(lines)
    assert lines.count("size: big") == 1


def test_controls_text_boxes_notes_and_nested_tables_of_word_are_read() -> None:
    content, ends = "<w:sdt><w:sdtContent>", "</w:sdtContent></w:sdt>"
    control = content * 2 + paragraph("inner control") + ends * 2
    box = (
        f"<w:p><w:r><w:pict><v:shape><v:textbox><w:txbxContent>{paragraph('in a box')}</w:txbxContent></v:textbox>"
        "</v:shape></w:pict></w:r></w:p>"
    )
    nested = f"<w:tbl><w:tr><w:tc>{paragraph('deep')}</w:tc></w:tr></w:tbl>"
    table = f"<w:tbl><w:tr><w:tc>{paragraph('outer')}{nested}<w:p/></w:tc><w:tc>{paragraph('x')}</w:tc></w:tr></w:tbl>"
    noted = f"<w:p>{run('body')}<w:r><w:endnoteReference w:id='2'/></w:r></w:p>"

    text = read(
        "a.docx",
        docx(control + box + table + noted, endnotes=f"<w:endnote w:id='2'>{paragraph('at the end')}</w:endnote>"),
    )

    assert all(words in text for words in ("inner control", "in a box", "outer deep · x", "body", "at the end"))
