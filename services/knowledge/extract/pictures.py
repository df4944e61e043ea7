"""Blocks from PNG, JPEG and TIFF: the text that is recognized in each picture of the file."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

from services.knowledge.domain.blocks import Block
from services.knowledge.extract.recognition import Recognizer
from services.knowledge.extract.refusal import Refusal

# Dots of a picture. A page at 600 dots per inch has 35 million.
_MOST_DOTS = 40_000_000
# Dots of the longer side in which it is recognized.
_LONGER_SIDE = 2_400
# Pictures of a file.
_MOST_PICTURES = 1_000


def read_pictures(
    content: bytes, on_page: Callable[[int, int], None], recognizer: Recognizer | None
) -> Iterator[Block]:
    """A picture is a page; no block without a recognizer. Raises Refusal."""
    if recognizer is None:
        return
    from PIL import Image, ImageOps, ImageSequence

    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "TIFF")) as file:
            total = getattr(file, "n_frames", 1)
            if total > _MOST_PICTURES:
                raise Refusal("document_too_many_pages")
            for page, picture in enumerate(ImageSequence.Iterator(file), 1):
                if picture.width * picture.height > _MOST_DOTS:
                    raise Refusal("document_expands_too_far")
                picture.draft("RGB", (_LONGER_SIDE, _LONGER_SIDE))
                upright = ImageOps.exif_transpose(picture)
                upright.thumbnail((_LONGER_SIDE, _LONGER_SIDE))
                yield from recognizer.blocks(upright, page)
                on_page(page, total)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Refusal("document_corrupt") from error
