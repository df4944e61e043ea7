from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from services.knowledge.domain.blocks import Block
from services.knowledge.domain.chunking import ChunkDraft, ChunkLimits, cut_into_chunks, passage

LIMITS = ChunkLimits(target=20, most=25, overlap=6)


def words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def cut(*blocks: Block) -> list[ChunkDraft]:
    return list(cut_into_chunks(blocks, words, LIMITS))


def sentence(name: str, length: int) -> str:
    return f"{name} " + " ".join(["word"] * (length - 2)) + " end."


def test_a_chunk_never_crosses_a_heading() -> None:
    found = cut(Block("One", 1, 1), Block("First text."), Block("Two", 2, 1), Block("Sub", 2, 2), Block("Second text."))

    assert [(draft.heading, draft.text) for draft in found] == [("One", "First text."), ("Two > Sub", "Second text.")]
    assert [draft.position for draft in found] == [0, 1]


def test_two_heading_lines_read_as_one_unless_a_new_part_is_counted() -> None:
    found = cut(
        Block("The Book", 0, 1), Block("CHAPTER I", 0, 1), Block("The Start", 0, 1), Block("Text."),
        Block("Annex", 5, 1), Block("Other page", 6, 1), Block("More."),
    )  # fmt: skip

    assert [(draft.heading, draft.text) for draft in found] == [
        ("", "The Book"), ("CHAPTER I: The Start", "Text."), ("", "Annex"), ("Other page", "More."),
    ]  # fmt: skip


def test_chunks_end_at_sentences_and_repeat_a_short_last_one() -> None:
    a, b, c = sentence("A", 12), sentence("B", 5), sentence("C", 12)

    first, second = cut(Block(f"{a} {b} {c}", 3))

    assert (first.text, second.text) == (f"{a} {b}", f"{b} {c}")
    assert (first.token_count, second.token_count, second.page) == (17, 17, 3)


def test_a_long_last_sentence_is_not_repeated() -> None:
    first, second = cut(Block(" ".join([sentence("A", 14), sentence("B", 14)])))

    assert (first.text[0], second.text[0]) == ("A", "B")


def test_the_page_is_that_of_the_first_new_sentence() -> None:
    found = cut(Block(sentence("A", 15), 1), Block(sentence("B", 5), 1), Block(sentence("C", 18), 2))

    assert [(draft.text[0], draft.page) for draft in found] == [("A", 1), ("B", 2)]


def test_paragraphs_stay_apart() -> None:
    (found,) = cut(Block("One."), Block("Two. Three."))

    assert found.text == "One.\n\nTwo. Three."


def test_a_sentence_without_end_is_cut_between_words_and_a_word_between_letters() -> None:
    found = cut(Block(" ".join(f"w{number}" for number in range(100))))
    assert all(draft.token_count <= LIMITS.most for draft in found)
    assert " ".join(draft.text for draft in found).split() == [f"w{number}" for number in range(100)]

    found = cut(Block("x" * 1000))
    assert all(len(draft.text) <= 8 * LIMITS.most for draft in found)
    assert "".join(draft.text for draft in found) == "x" * 1000


def test_only_the_first_passage_of_a_section_is_embedded_with_its_heading() -> None:
    first, second = cut(Block("Refunds", 0, 1), Block(" ".join([sentence("A", 18), sentence("B", 18)])))

    assert passage(first) == f"Refunds\n{first.text}"
    assert passage(second) == second.text
    assert passage(cut(Block("No heading at all."))[0]) == "No heading at all."


def test_a_heading_without_a_body_is_a_passage() -> None:
    found = cut(
        Block("Book", 0, 1), Block("Part", 0, 2), Block("Empty", 0, 3), Block("Next", 3, 2), Block("Last", 4, 3)
    )

    assert [(draft.heading, draft.text, draft.page) for draft in found] == [
        ("Book > Part", "Empty", 0), ("Book > Next", "Last", 4),
    ]  # fmt: skip


def test_a_table_cut_in_two_repeats_its_header() -> None:
    rows = [Block("Port · Fee", 2)] + [
        Block(f"town{number} and quay · {number}", 2, 0, "Port · Fee") for number in range(6)
    ]

    found = cut(*rows)

    assert len(found) > 1
    assert all(draft.text.startswith("Port · Fee\n\n") and draft.token_count <= LIMITS.most for draft in found)
    assert "".join(draft.text for draft in found).count("quay") == 6


def test_offsets_point_into_the_text_of_the_blocks() -> None:
    blocks = [
        Block("Head", 0, 1),
        Block(f"{sentence('A', 14)} {sentence('B', 4)} {sentence('C', 14)}"),
        Block("D end."),
    ]
    text = "".join(f"{block.text}\n\n" for block in blocks)

    found = cut(*blocks)

    assert [text[draft.start : draft.end] for draft in found] == [
        f"{sentence('A', 14)} {sentence('B', 4)}", f"{sentence('C', 14)}\n\nD end.",
    ]  # fmt: skip


@given(
    st.lists(
        st.tuples(
            st.text(alphabet="ab .!AÄ。中 ", min_size=1, max_size=120), st.sampled_from([0, 0, 0, 1, 2, 3]),
            st.sampled_from(["", "", "h · k"]), st.integers(0, 3),
        ),
        max_size=14,
    )
)  # fmt: skip
def test_no_text_is_lost_and_no_chunk_is_too_large(parts: list[tuple[str, int, str, int]]) -> None:
    blocks = [
        Block(" ".join(text.split()) or "x", page, level, header if not level else "")
        for text, level, header, page in parts
    ]
    text = "".join(f"{block.text}\n\n" for block in blocks)

    found = cut(*blocks)

    assert [draft.position for draft in found] == list(range(len(found)))
    assert all(0 < draft.token_count <= LIMITS.most + LIMITS.overlap for draft in found)
    kept = " ".join(f"{draft.heading} {draft.text}" for draft in found)
    assert [word for block in blocks for word in block.text.split() if len(word) < 40 and word not in kept] == []
    assert all(0 <= draft.start < draft.end <= len(text) for draft in found)
