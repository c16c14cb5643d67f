"""The bytes of each job's video: a rendered clip, padding if asked for, and a box that carries the job's own id."""

from __future__ import annotations

import asyncio
import hashlib
import struct
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_siliconflow.sandbox.checks import image_bytes, makes_from_image
from airflow_provider_siliconflow.sandbox.render import Scene, render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_siliconflow.sandbox.jobs import Job
    from airflow_provider_siliconflow.sandbox.settings import Settings

#: Bytes sent in one go.
CHUNK = 256 * 1024
#: Clips kept in memory; others are rendered again.
_CLIPS = 64
_PATTERN = bytes(range(251)) * (CHUNK // 251 + 2)
_TINY_FRAMES = 8
_T = TypeVar("_T")


@dataclass(frozen=True)
class Video:
    """
    A video, without holding its padding.

    :param head: Its first bytes: the clip, and the head of the padding's box if there is padding.
    :param padding: How many bytes of the pattern follow.
    :param tail: Its last bytes.
    """

    head: bytes
    padding: int
    tail: bytes

    @property
    def length(self) -> int:
        """Return the size in bytes."""
        return len(self.head) + self.padding + len(self.tail)

    @property
    def etag(self) -> str:
        """Return the entity tag, quotes included; made of ends and length, since padding is always alike."""
        return f'"{hashlib.md5(self.head + self.tail + str(self.length).encode(), usedforsecurity=False).hexdigest()}"'

    def chunks(self, start: int, end: int) -> Iterator[bytes]:
        """
        Read a part of the video.

        :param start: Its first byte.
        :param end: The byte after its last one.
        :yield: Its bytes in pieces.
        """
        after_head, after_padding = len(self.head), len(self.head) + self.padding
        while start < end:
            if start < after_head:
                piece = self.head[start : min(end, start + CHUNK)]
            elif start < after_padding:
                turn = (start - after_head) % 251
                piece = _PATTERN[turn : turn + min(CHUNK, end - start, after_padding - start)]
            else:
                piece = self.tail[start - after_padding : end - after_padding]
            yield piece
            start += len(piece)

    def sha256(self) -> str:
        """
        Return the digest of all bytes; takes a second for each gigabyte.

        :return: In hexadecimal.
        """
        digest = hashlib.sha256()
        for piece in self.chunks(0, self.length):
            digest.update(piece)
        return digest.hexdigest()


def assemble(clip: bytes, label: str, total: int = 0) -> Video:
    """
    Make a video of a clip: all that is added sits in ``free`` boxes, which players skip.

    :param clip: An MP4.
    :param label: Written into the last box, so that no two jobs' bytes are alike.
    :param total: Pad to this many bytes; less than the clip needs is no padding.
    :return: The video.
    """
    tail = struct.pack(">I", 8 + len(label)) + b"free" + label.encode("ascii")
    padding = total - len(clip) - 16 - len(tail)
    if padding <= 0:
        return Video(clip, 0, tail)
    return Video(clip + struct.pack(">I4sQ", 1, b"free", 16 + padding), padding, tail)


class Videos:
    """
    The videos, made off the event loop and kept.

    :param settings: The switches.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clips: OrderedDict[Scene, asyncio.Future[bytes]] = OrderedDict()
        self._painters = ThreadPoolExecutor(1, "sandbox-render")

    def close(self) -> None:
        """Drop what is still to be rendered."""
        self._painters.shutdown(wait=True, cancel_futures=True)

    async def of(self, job: Job, edition: str = "") -> Video:
        """
        Return a job's video.

        :param job: The job.
        :param edition: Makes another file of the same video.
        :return: Its bytes.
        :raises RuntimeError: If PyAV or Pillow are missing.
        """
        clip = await self._clip(self._scene(job))
        return assemble(clip, job.request_id + edition, self._settings.body_bytes)

    async def digest(self, video: Video) -> str:
        """
        Return a video's SHA-256.

        :param video: The video.
        :return: In hexadecimal.
        """
        return await self._aside(video.sha256) if video.padding else video.sha256()

    def _scene(self, job: Job) -> Scene:
        if self._settings.tiny:
            return Scene("", "64x64", 0, frames=_TINY_FRAMES)
        image = image_bytes(job.image) if job.image else None
        follow = self._settings.i2v_size == "image" and makes_from_image(job.model)
        return Scene(job.prompt, job.image_size, job.seed, image=image, follow=follow)

    async def _clip(self, scene: Scene) -> bytes:
        clip = self._clips.get(scene)
        if clip is None:
            clip = self._clips[scene] = asyncio.ensure_future(self._aside(render, scene))
            if len(self._clips) > _CLIPS:
                self._clips.popitem(last=False)
        self._clips.move_to_end(scene)
        try:
            # A caller who leaves must not take the clip away from the others.
            return await asyncio.shield(clip)
        except RuntimeError:
            self._clips.pop(scene, None)
            raise

    async def _aside(self, work: Callable[..., _T], *given: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._painters, work, *given)
