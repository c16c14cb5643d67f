"""Give a downloaded video its labels, in the order that keeps the signature right, and try them before paying."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.exceptions import VideoLabelError
from airflow_provider_siliconflow.label import credentials as c2pa
from airflow_provider_siliconflow.label import implicit, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_siliconflow.label.credentials import SigningKey
    from airflow_provider_siliconflow.label.settings import VideoLabel

HOW_TO_INSTALL = "pip install 'airflow-provider-siliconflow[label]'"
#: Where an MP4 file keeps content credentials: a uuid box of this type (C2PA specification, annex A.5).
_C2PA_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Labeller:
    """
    The labels of a task's videos, with the key that signs.

    :param label: What the user asked for.
    :param key: What signs; None for no content credentials.
    """

    label: VideoLabel
    key: SigningKey | None = None

    def check(self) -> None:
        """
        Label a video of one frame, so that a missing library, font or key is found before any money is spent.

        :raises VideoLabelError: if it cannot be labelled here.
        """
        with _as_label_error(), tempfile.TemporaryDirectory(prefix="siliconflow-label-") as folder:
            clip = Path(folder, "clip.mp4")
            _one_frame(clip)
            self.apply(clip, Path(folder, "labelled.mp4"), request_id="check", model="check")

    def apply(self, source: Path, target: Path, *, request_id: str | None, model: str | None) -> dict[str, Any]:
        """
        Write a labelled copy of a video.

        :param source: A local video; never changed.
        :param target: The local file to write.
        :param request_id: Its request id.
        :param model: The model that made it.
        :return: What was found and what was added, for the manifest.
        :raises VideoLabelError: if it cannot be labelled; the message tells why.
        """
        require()
        has_credentials = has_c2pa(source)
        if has_credentials and not self.key:
            raise VideoLabelError(
                "The video has content credentials of its own, which another label would break: sign it anew"
                " (credentials=…), or archive it without a label."
            )
        with _as_label_error(), tempfile.TemporaryDirectory(prefix="siliconflow-label-") as parts:
            labelled, facts = self._mark(source, Path(parts), request_id)
            if self.key:
                # Credentials that the video has are gone from its labelled copy.
                key = replace(self.key, required=self.key.required or has_credentials)
                labelled, facts["c2pa"] = _signed(labelled, Path(parts, "signed.mp4"), key, model)
            shutil.copyfile(labelled, target)
        return {**facts, "c2pa_found": has_credentials}

    def _mark(self, path: Path, parts: Path, request_id: str | None) -> tuple[Path, dict[str, Any]]:
        """Write the implicit and the visible label; return the file that has them and what was done."""
        found = implicit.read(path)
        label: Any = self.label.implicit(request_id) if found is None else found
        made = parts / "labelled.mp4"
        facts = {"found": found, "added": label if found is None else None, "visible": None}
        if self.label.visible:
            visible.write(path, made, self.label.visible, label)
            facts["visible"] = self.label.visible.model_dump(exclude={"font"})
        elif found is None:
            implicit.write(path, made, label)
        else:
            return path, facts
        return made, facts


@contextmanager
def _as_label_error() -> Iterator[None]:
    """Raise whatever a library or a disk raises as an error of the label, with which a paid video is kept."""
    try:
        yield
    except VideoLabelError:
        raise
    except Exception as error:
        raise VideoLabelError(f"The labels cannot be written: {type(error).__name__}: {error}") from error


def _signed(path: Path, target: Path, key: SigningKey, model: str | None) -> tuple[Path, dict[str, Any]]:
    """Return the signed file and what its signature says; the unsigned one if the signature is not required."""
    try:
        return target, c2pa.sign(path, target, key, model)
    except VideoLabelError as error:
        if key.required:
            raise
        return path, {"state": "missing", "reason": error.message}


def describe_label(facts: Mapping[str, Any]) -> str:
    """
    Say which labels a video has, for people.

    :param facts: As :meth:`Labeller.apply` returned them.
    :return: The labels, with commas between them.
    """
    parts = ["AIGC metadata of the service, kept" if facts.get("found") is not None else "AIGC metadata"]
    if visible_text := facts.get("visible"):
        parts.append(f"visible text {visible_text['text']}")
    if signature := facts.get("c2pa"):
        parts.append(f"content credentials {signature['state']}")
    return ", ".join(parts)


def has_c2pa(path: Path) -> bool:
    """
    Look for content credentials in an MP4 file.

    :param path: A local file.
    :return: Whether it has any.
    """
    with path.open("rb") as file:
        overlap = b""
        while block := file.read(_BLOCK):
            if _C2PA_BOX in overlap + block:
                return True
            overlap = block[-len(_C2PA_BOX) :]
    return False


def require() -> None:
    """
    Check that the libraries of the extra ``label`` are here.

    :raises VideoLabelError: with the command that installs them.
    """
    try:
        import av  # noqa: F401
        import fontTools  # noqa: F401
        import PIL  # noqa: F401
    except ImportError as missing:
        raise VideoLabelError(f"A label needs PyAV, Pillow and fontTools: {HOW_TO_INSTALL}. ({missing})") from missing


def _one_frame(path: Path) -> None:
    """Write an MP4 file of one frame, as wide as the narrowest video of the service."""
    require()
    import av
    from av import VideoFrame
    from PIL import Image

    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=16)
        stream.width, stream.height, stream.pix_fmt = 720, 1280, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 16)
        stream.codec_context.thread_count = 1
        frame = VideoFrame.from_image(Image.new("RGB", (720, 1280)))  # type: ignore[no-untyped-call]
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
