"""Lines of text above a picture, in the colours of what they speak of; pictures side by side."""

from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from metairl.evaluation.videos import Picture

Words = tuple[str, tuple[int, int, int]]  # and their colour
WHITE, GREY, BACKGROUND = (255, 255, 255), (150, 150, 150), (24, 28, 34)
LINE, MARGIN = 16, 6
ABREAST = 4  # panes in a row


def above(picture: Picture, lines: list[list[Words]]) -> Picture:
    """The picture with a band of text on top of it."""
    band = Image.new("RGB", (picture.shape[1], LINE * len(lines) + MARGIN), BACKGROUND)
    pen = ImageDraw.Draw(band)
    for row, line in enumerate(lines):
        x = float(MARGIN)
        for text, colour in line:
            pen.text((x, MARGIN / 2 + LINE * row), text, colour, _font())
            x += pen.textlength(text + "   ", _font())
    return np.concatenate([np.asarray(band), picture])


def tiled(panes: list[Picture]) -> Picture:
    """Side by side; what the last row lacks is black."""
    columns = min(ABREAST, len(panes))
    panes = panes + [np.zeros_like(panes[0])] * (-len(panes) % columns)
    rows = [np.concatenate(panes[i : i + columns], axis=1) for i in range(0, len(panes), columns)]
    return np.concatenate(rows)


@cache
def _font() -> ImageFont.FreeTypeFont:
    """The one that matplotlib brings along, so that it looks the same everywhere."""
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), 12)
