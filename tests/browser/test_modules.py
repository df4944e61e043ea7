"""Functions of the console that can be judged without a page of it, as the browser runs them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.visit import Visit


def call(visit: Visit, module: str, function: str, *given: Any) -> Any:
    """What an exported function of a module answers; the page's own policy and import map apply."""
    base = visit.page.evaluate("document.querySelector('script[src]').src.replace('main.js', '')")
    return visit.page.evaluate(
        "([url, name, given]) => import(url).then((found) => found[name](...given))",
        [base + module, function, [*given]],
    )


@pytest.fixture(scope="module", autouse=True)
def page(visit: Visit) -> None:
    visit.page.goto(visit.url + "/app")
    visit.page.locator("main h1").wait_for()


@pytest.fixture(autouse=True)
def expected(visit: Visit) -> None:
    visit.expected.add(401)  # no one is signed in


@pytest.mark.parametrize(
    ("marks", "pieces"),
    [
        ([], [("Müller 🥐 is here", False)]),
        ([(7, 8)], [("Müller ", False), ("🥐", True), (" is here", False)]),
        ([(9, 11), (0, 6)], [("Müller", True), (" 🥐 ", False), ("is", True), (" here", False)]),
        ([(0, 6), (3, 8)], [("Müller", True), (" 🥐", True), (" is here", False)]),
    ],
)
def test_highlights_count_code_points(visit: Visit, marks: Any, pieces: Any) -> None:
    given = [{"start": start, "end": end} for start, end in marks]
    found = call(visit, "parts/highlighted.js", "pieces", "Müller 🥐 is here", given)
    assert [(piece["text"], piece["marked"]) for piece in found] == pieces


@pytest.mark.parametrize(
    ("before", "after", "rows"),
    [
        ("a\nb", "a\nb", "=a =b"),
        ("a\nb\nc", "a\nc", "=a -b =c"),
        ("a", "a\nb", "=a +b"),
        ("a\nb", "x\nb", "-a +x =b"),
        ("", "a", "- +a"),
    ],
)
def test_a_difference_keeps_the_longest_common_lines(visit: Visit, before: str, after: str, rows: str) -> None:
    found = call(visit, "lib/difference.js", "differences", before, after)
    signs = {"same": "=", "out": "-", "in": "+"}
    assert " ".join(signs[row["kind"]] + row["text"] for row in found) == rows


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (83, "1:23"), (3671, "1:01:11"), (59.6, "1:00")])
def test_durations(visit: Visit, seconds: float, text: str) -> None:
    assert call(visit, "lib/format.js", "duration", seconds) == text


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [("10", "USD", "$10.00"), ("-0.1383", "USD", "-$0.1383"), ("1234.5", "EUR", "€1,234.50"), (None, "USD", "–")],
)
def test_money_is_read_from_decimal_strings(visit: Visit, amount: str | None, currency: str, text: str) -> None:
    assert call(visit, "lib/format.js", "money", amount, currency) == text


def test_a_decimal_string_keeps_digits_that_a_float_would_lose(visit: Visit) -> None:
    assert call(visit, "lib/format.js", "money", "9007199254740993.25", "USD") == "$9,007,199,254,740,993.25"


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (94_200, "94.2 kB"), (25e6, "25 MB")]
)
def test_sizes(visit: Visit, size: float, text: str) -> None:
    assert call(visit, "lib/format.js", "bytes", size) == text


@pytest.mark.parametrize(
    ("fragment", "parts", "query"),
    [
        ("", [], {}),
        ("#/calls/call_1?status=failed", ["calls", "call_1"], {"status": "failed"}),
        ("#/knowledge/a%2Fb?q=1%20%26%202", ["knowledge", "a/b"], {"q": "1 & 2"}),
    ],
)
def test_addresses_lead_there_and_back(visit: Visit, fragment: str, parts: list[str], query: dict[str, str]) -> None:
    found = call(visit, "lib/router.js", "parse", fragment)
    assert (found["parts"], found["query"]) == (parts, query)
    again = call(visit, "lib/router.js", "parse", call(visit, "lib/router.js", "place", parts, query))
    assert (again["parts"], again["query"]) == (parts, query)


@pytest.mark.parametrize(("largest", "step"), [(2, 1), (3, 1), (7, 5), (0.188, 0.1), (34, 20), (1000, 500)])
def test_the_axis_of_a_chart_has_round_steps(visit: Visit, largest: float, step: float) -> None:
    assert call(visit, "parts/charts.js", "stepOf", largest) == pytest.approx(step)
