"""The visible label: a text on the first seconds of a video."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.exceptions import VideoLabelError
from airflow_provider_siliconflow.label import fonts, implicit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from av import Packet, VideoFrame
    from av.container import InputContainer, OutputContainer
    from av.video.stream import VideoStream
    from PIL.Image import Image as PilImage

    from airflow_provider_siliconflow.label.settings import VisibleLabel

#: What of a video's colours the encoder must be told to keep them.
_COLOURS = ("color_range", "color_primaries", "color_trc", "colorspace")


def write(source: Path, target: Path, visible: VisibleLabel, label: Mapping[str, Any] | str) -> None:
    """
    Encode a video anew with a visible and an implicit label; sound is copied.

    :param source: A local MP4 file.
    :param target: The file to write.
    :param visible: The visible label.
    :param label: The implicit one: a new one, or what the file has already.
    :raises VideoLabelError: if that is not possible, or if frames are missing in the result.
    """
    import av

    try:
        with av.open(str(source)) as given, av.open(str(target), "w", format="mp4", options=implicit.MOVFLAGS) as made:
            implicit.check_is_mp4(given)
            made.metadata.update(implicit.with_label(given.metadata, label))
            frames = _encode(given, made, visible)
        before, after = implicit.packets(source), implicit.packets(target)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoLabelError(f"The visible label cannot be written: {implicit.reason_of(error)}.") from error
    videos = [stream[4] for stream in after if stream[0] == "video"]
    sound = [[stream for stream in streams if stream[0] != "video"] for streams in (before, after)]
    if videos != [frames] or sound[0] != sound[1]:
        raise VideoLabelError("The labelled video does not have all frames and the same sound.")
    implicit.check(target, label)


def _encode(given: InputContainer, made: OutputContainer, visible: VisibleLabel) -> int:
    """Encode the video stream, copy all else, and return how many frames there were."""
    if not given.streams.video:
        raise VideoLabelError("The video has no images for a visible label.")
    video = given.streams.video[0]
    encoder = _encoder(video, made, visible)
    others = {stream.index: made.add_stream_from_template(stream) for stream in given.streams if stream.type != "video"}
    shown = overlay(video.codec_context.width, video.codec_context.height, visible)
    count, ends = 0, None
    for packet in given.demux():
        if packet.stream.index in others:
            if packet.dts is not None:
                packet.stream = others[packet.stream.index]
                made.mux(packet)
        elif packet.stream.index == video.index:
            for frame in _frames(packet):
                count += 1
                if ends is None and visible.seconds is not None:
                    ends = (frame.time or 0.0) + visible.seconds
                made.mux(encoder.encode(_labelled(frame, shown, ends)))
    made.mux(encoder.encode(None))
    return count


def _encoder(video: VideoStream, made: OutputContainer, visible: VisibleLabel) -> VideoStream:
    encoder = made.add_stream("libx264", rate=video.average_rate or 25, options={"crf": str(visible.quality)})
    given, new = video.codec_context, encoder.codec_context
    # As a poster's: a process that is forked before they are freed would wait for their threads for ever.
    given.thread_count = new.thread_count = 1
    encoder.width, encoder.height, encoder.pix_fmt = given.width, given.height, "yuv420p"
    if video.time_base:
        encoder.time_base = new.time_base = video.time_base
    for name in _COLOURS:
        setattr(new, name, getattr(given, name))
    return encoder


def _frames(packet: Packet[Any]) -> Iterator[VideoFrame]:
    from av import VideoFrame

    for frame in packet.decode():
        if isinstance(frame, VideoFrame):
            yield frame


def _labelled(frame: VideoFrame, shown: PilImage, ends: float | None) -> VideoFrame:
    """Return the frame, with the text on it while that is to show."""
    from av import VideoFrame
    from av.video.frame import PictureType

    if ends is not None and (frame.time or 0.0) > ends:
        frame.pict_type = PictureType.NONE
        return frame
    image: PilImage = frame.to_image().convert("RGBA")  # type: ignore[no-untyped-call]
    image.alpha_composite(shown)
    drawn: VideoFrame = VideoFrame.from_image(image.convert("RGB"))  # type: ignore[no-untyped-call]
    made: VideoFrame = drawn.reformat(
        format="yuv420p", dst_colorspace=frame.colorspace, dst_color_range=frame.color_range
    )
    made.pts, made.time_base = frame.pts, frame.time_base
    return made


def overlay(width: int, height: int, visible: VisibleLabel) -> PilImage:
    """
    Return a transparent image with the text on a dark plate in its corner.

    :param width: Of the video, in pixels.
    :param height: Of the video, in pixels.
    :param visible: The text, and its style.
    :return: What is laid over each frame.
    :raises VideoLabelError: if the text does not fit, or if no font has its characters.
    """
    from PIL import Image, ImageDraw

    least = round(min(width, height) * visible.height)
    font = fonts.find(visible.text, visible.font, least)
    # A font's size is more than the height of its signs, whose outermost rows may be all but transparent: enlarged
    # until the signs are higher than asked for.
    while _height(font.getbbox(visible.text)) <= least + 1:
        font = font.font_variant(size=font.size + 1)
    left, top, right, bottom = font.getbbox(visible.text)
    pad, margin = least // 2, least // 2
    plate = (right - left + 2 * pad, bottom - top + 2 * pad)
    if plate[0] + 2 * margin > width:
        raise VideoLabelError(f"The visible label {visible.text!r} is wider than the video ({width} pixels).")
    x = margin if visible.corner.endswith("left") else width - plate[0] - margin
    y = margin if visible.corner.startswith("top") else height - plate[1] - margin
    shown = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(shown)
    draw.rounded_rectangle((x, y, x + plate[0], y + plate[1]), radius=pad // 2, fill=(0, 0, 0, 150))
    draw.text((x + pad - left, y + pad - top), visible.text, font=font, fill=(255, 255, 255, 255))
    return shown


def _height(box: tuple[float, float, float, float]) -> float:
    return box[3] - box[1]
