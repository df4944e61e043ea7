from __future__ import annotations

import importlib
import sys

import pytest

from libs.languages import Ngrams, detect


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Parcels leave the warehouse within two working days.", "en"),
        ("Die Lieferung dauert zwei bis drei Werktage.", "de"),
        ("Le magasin est fermé le dimanche.", "fr"),
        ("La tienda cierra los domingos.", "es"),
        ("Il negozio è chiuso la domenica.", "it"),
        ("A loja fecha aos domingos.", "pt"),
        ("De winkel is op zondag gesloten.", "nl"),
        ("Магазин закрыт по воскресеньям.", "ru"),
        ("Butiken är stängd på söndagar.", "sv"),
        ("Mağaza pazar günleri kapalıdır.", "tr"),
        ("顾客可以在三十天内申请退款。", "zh"),
        ("配送には三営業日かかります。", "ja"),
        ("คืนเงินได้ภายในสามสิบวัน", "th"),
        ("يستغرق التسليم ثلاثة أيام عمل.", "ar"),
        ("", ""),
        ("4471 – 12.50", ""),
        ("🍂", ""),
    ],
)
def test_a_short_text_names_its_language(text: str, language: str) -> None:
    assert detect(text) == language


def test_a_foreign_title_page_does_not_decide_for_a_long_text() -> None:
    title = "Terms and conditions of the company, in force from the first of January. " * 13
    body = "Die Ware bleibt bis zur vollständigen Bezahlung Eigentum des Verkäufers. " * 200
    assert detect(title + body) == "de"


def test_the_table_in_arrays_says_what_elds_own_says() -> None:
    detect("word")
    name = "eld.resources.ngrams.ngramsM60"
    assert not sys.modules[name].ngrams_data["ngrams"]  # eld's own is given back
    del sys.modules[name]
    table = importlib.import_module(name).ngrams_data["ngrams"]

    ngrams = Ngrams(table)

    assert len(table) > 100_000
    assert all(ngram in ngrams and list(ngrams[ngram].items()) == list(table[ngram].items()) for ngram in table)
    unknown = (b"", b" ", b"zzzzz", b"\xff" * 300, next(iter(table))[:-1] + b"\x01")
    assert not any(ngram in ngrams or ngrams[ngram] for ngram in unknown)
    first, second = list(table)[:2]
    assert first in ngrams
    assert ngrams[second] == table[second]
    table.clear()
