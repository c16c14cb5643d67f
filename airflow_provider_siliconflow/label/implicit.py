"""The implicit label of GB 45438-2025: the metadata key ``AIGC`` of an MP4 file."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.exceptions import VideoLabelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from av.container import InputContainer, OutputContainer

KEY = "AIGC"
#: The muxer puts every metadata key into moov/udta/meta with the first flag, and moov before the media with the second.
MOVFLAGS = {"movflags": "use_metadata_tags+faststart"}
#: What the muxer writes by itself.
_OF_THE_MUXER = ("major_brand", "minor_version", "compatible_brands", "encoder")


def reason_of(error: Exception) -> str:
    """
    Return what a library or a disk says, without the number and the path that FFmpeg puts around it.

    :param error: Of PyAV or of Python.
    :return: Words without a full stop.
    """
    return getattr(error, "strerror", None) or str(error)


def read(path: Path) -> dict[str, Any] | str | None:
    """
    Return the implicit label of a video.

    :param path: A local video.
    :return: Its JSON object; the text itself if it is no JSON object; None if there is none, or a blank one.
    :raises VideoLabelError: if the file cannot be read as a video.
    """
    import av

    try:
        with av.open(str(path)) as container:
            text = container.metadata.get(KEY)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoLabelError(f"The video cannot be read: {reason_of(error)}.") from error
    if text is None or not text.strip():
        return None
    try:
        label = json.loads(text)
    except ValueError:
        return text
    return label if isinstance(label, dict) else text


def write(source: Path, target: Path, label: Mapping[str, str]) -> None:
    """
    Copy a video with an implicit label; its packets stay as they are.

    :param source: A local MP4 file.
    :param target: The file to write.
    :param label: The JSON object.
    :raises VideoLabelError: if it is no MP4 file, or if the copy does not have the same packets and the label.
    """
    import av

    try:
        with av.open(str(source)) as given:
            check_is_mp4(given)
            with av.open(str(target), "w", format="mp4", options=MOVFLAGS) as made:
                made.metadata.update(with_label(given.metadata, label))
                copy_packets(given, made)
        same = packets(source) == packets(target)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoLabelError(f"The label cannot be written: {reason_of(error)}.") from error
    if not same:
        raise VideoLabelError("The labelled copy does not have the same packets as the video.")
    check(target, label)


def check(path: Path, label: Mapping[str, Any] | str) -> None:
    """
    Check by reading that a video has a label.

    :param path: A local video.
    :param label: What it must be.
    :raises VideoLabelError: if it is another, or none.
    """
    if read(path) != label:
        raise VideoLabelError("The label, read back, is not what was written.")


def with_label(metadata: Mapping[str, str], label: Mapping[str, Any] | str) -> dict[str, str]:
    """
    Return the metadata of a labelled copy.

    :param metadata: That of the video.
    :param label: The JSON object, or the text of a label that is kept.
    :return: Texts, by their keys in the container.
    """
    kept = {name: value for name, value in metadata.items() if name not in _OF_THE_MUXER}
    return kept | {KEY: label if isinstance(label, str) else json.dumps(label, ensure_ascii=False)}


def check_is_mp4(container: InputContainer) -> None:
    """
    Check that a container can hold the label.

    :param container: An open video.
    :raises VideoLabelError: if it is no MP4 file.
    """
    if "mp4" not in container.format.name.split(","):
        raise VideoLabelError(f"The video is {container.format.long_name}: the label is defined for MP4 files here.")


def copy_packets(given: InputContainer, made: OutputContainer) -> None:
    """
    Copy every stream.

    :param given: An open video.
    :param made: An open output, empty.
    """
    streams = {stream.index: made.add_stream_from_template(stream) for stream in given.streams}
    for packet in given.demux():
        if packet.dts is not None:
            packet.stream = streams[packet.stream.index]
            made.mux(packet)


def packets(path: Path) -> list[tuple[Any, ...]]:
    """
    Return what must be equal in two videos with the same content.

    :param path: A local video.
    :return: For each stream its type, codec and size, and the number and the hash of its packets.
    """
    import av

    with av.open(str(path)) as container:
        hashes = {stream.index: hashlib.sha256() for stream in container.streams}
        counts = dict.fromkeys(hashes, 0)
        for packet in container.demux():
            if packet.dts is not None:
                hashes[packet.stream.index].update(bytes(packet))
                counts[packet.stream.index] += 1
        return [
            (
                stream.type,
                stream.codec_context.name,
                getattr(stream.codec_context, "width", None),
                getattr(stream.codec_context, "height", None),
                counts[stream.index],
                hashes[stream.index].hexdigest(),
            )
            for stream in container.streams
        ]
