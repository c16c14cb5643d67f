"""What a video shows: its size and duration, and a JPEG of it to be put beside it. Needs PyAV; does without."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.archive import stores
from airflow_provider_siliconflow.archive.staging import staging
from airflow_provider_siliconflow.client.masking import describe_error

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

#: Pixels of the poster's longer side at most.
_SIDE = 480
#: Frames that are decoded in search of one that is not all of one color, such as the black of a fade-in.
_FRAMES = 48
#: Seconds within which the frame is chosen: those that a visible label covers at least.
_SECONDS = 1.9
#: Difference between the brightest and the darkest of some pixels (0 to 255) from which on a frame shows something.
_CONTRAST = 24
#: Quantizer of the JPEG: 2 is the best, 31 the smallest.
_QUANTIZER = 5


@dataclass(frozen=True)
class Poster:
    """
    What a video shows; None where it is not known.

    :param width: Pixels; so ``height``.
    :param duration: Seconds.
    :param jpeg: The poster.
    """

    width: int | None = None
    height: int | None = None
    duration: float | None = None
    jpeg: bytes | None = None

    def facts(self, poster: ObjectStoragePath) -> dict[str, Any]:
        """
        Return what a manifest tells of it.

        :param poster: Where the poster goes.
        :return: What is known.
        """
        facts: dict[str, Any] = {"width": self.width, "height": self.height, "duration": self.duration}
        facts["poster"] = str(poster) if self.jpeg else None
        return {name: value for name, value in facts.items() if value is not None}


def poster_of(video: Path) -> Poster:
    """
    Return what a video shows; a video is archived whether or not that can be told.

    :param video: A whole video on this machine.
    :return: Nothing known where PyAV is missing or cannot read it.
    """
    try:
        return _poster(video)
    except ImportError:
        log.info("No poster: PyAV is missing (pip install 'airflow-provider-siliconflow[poster]').")
    except Exception as error:
        log.warning("No poster: %s", describe_error(error))
    return Poster()


def write_poster(path: ObjectStoragePath, poster: Poster) -> None:
    """
    Write the poster of a published video, whole or not at all; failing to do so is no reason to fail.

    :param path: Where it goes; replaced if it is there.
    :param poster: What the video shows.
    """
    if poster.jpeg is None:
        return
    try:
        with staging(path) as stage:
            with stage.open("wb") as file:
                file.write(poster.jpeg)
                file.flush()
                os.fsync(file.fileno())
            stores.replace(stage, path)
    except Exception as error:
        log.warning("The poster %s was not written: %s", path, describe_error(error))


def _poster(video: Path) -> Poster:
    import av

    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        duration = container.duration / av.time_base if container.duration else None
        # PyAV 17.0.0 frees a decoder when garbage is collected. A process that was forked meanwhile, as OpenLineage
        # does at the end of a task, would wait for ever for its threads: none, then.
        stream.codec_context.thread_count = 1
        chosen = None
        for count, frame in enumerate(container.decode(stream)):
            chosen = frame
            if count >= _FRAMES or (frame.time or 0.0) >= _SECONDS or _shows_something(frame):
                break
        width, height = stream.width, stream.height
        jpeg = _jpeg(av, chosen) if chosen is not None else None
    return Poster(width or None, height or None, round(duration, 3) if duration else None, jpeg)


def _shows_something(frame: Any) -> bool:
    samples = bytes(frame.reformat(width=16, height=16, format="gray").planes[0])
    return max(samples) - min(samples) >= _CONTRAST


def _jpeg(av: Any, frame: Any) -> bytes:
    scale = min(1.0, _SIDE / max(frame.width, frame.height))
    # JPEG halves the colors' resolution, so both sides are even.
    width, height = (max(2, round(side * scale / 2) * 2) for side in (frame.width, frame.height))
    small = frame.reformat(width=width, height=height, format="yuvj420p")
    small.pts = 0
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.thread_count = 1
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base = Fraction(1, 1)
    encoder.qmin = encoder.qmax = _QUANTIZER
    return b"".join(bytes(packet) for packet in [*encoder.encode(small), *encoder.encode(None)])
