"""What a policy does, for people to look at: a picture and a film of it, made by one module a kind of task.

    mazes    ways on maps
    bodies   MuJoCo's bodies with what their tasks ask of them
    arms     Meta-World's arm and its scenes

A film is a rollout of its own on held-out tasks, apart from the evaluation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from metairl.core.records import writing

Picture = NDArray[np.uint8]  # [height, width, 3]
LINGER = 12  # frames for which the last moment stays


@dataclass(frozen=True)
class Film:
    name: str  # of its files
    still: Picture
    frames: Iterator[Picture]  # drawn as they are asked for
    rate: int  # frames a second


def write(film: Film, folder: Path) -> None:
    """NAME.png and NAME.mp4."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(film.still).save(folder / f"{film.name}.png")
        _write_mp4(film, folder / f"{film.name}.mp4")


def _write_mp4(film: Film, path: Path) -> None:
    """H.264, which browsers play; it takes even sizes alone."""
    first = next(film.frames)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=film.rate)
        stream.pix_fmt = "yuv420p"
        stream.height, stream.width = (size // 2 * 2 for size in first.shape[:2])
        for picture in chain([first], film.frames):
            even = np.ascontiguousarray(picture[: stream.height, : stream.width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        container.mux(stream.encode())
