"""What a user says of the labels of a video; nothing here loads a media library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from airflow_provider_siliconflow.exceptions import InvalidArgumentError
from airflow_provider_siliconflow.model_argument import read_model

#: Characters of a visible text at most: so many fit beside each other on the narrowest video, 720 pixels wide.
MAX_TEXT = 16
#: Seconds that GB 45438-2025 asks for at least on the first frames of a video.
MIN_SECONDS = 2.0
#: Share of the shorter side that GB 45438-2025 asks for at least as the height of the text.
MIN_HEIGHT = 0.05


class _Settings(BaseModel):
    """Base of the settings: unknown names are errors, and Airflow may set rendered fields."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class VisibleLabel(_Settings):
    """
    A text on the first seconds of a video, which is encoded anew for it.

    :param text: What it says, at most 16 characters; templated.
    :param seconds: How long it shows from the start, 2 or more; None for the whole video.
    :param height: Height of the text as a share of the shorter side, 0.05 to 0.3.
    :param corner: Where it stands.
    :param font: Path or file name of a font that has the characters; None to look for one on the machine; templated.
    :param quality: x264's constant rate factor, 0 (lossless) to 30; a smaller figure is a better image.
    """

    template_fields: ClassVar[Sequence[str]] = ("text", "font")

    text: str = Field(default="AI生成", min_length=1)
    seconds: float | None = Field(default=MIN_SECONDS, ge=MIN_SECONDS, allow_inf_nan=False)
    height: float = Field(default=0.06, ge=MIN_HEIGHT, le=0.3)
    corner: Literal["top-left", "top-right", "bottom-left", "bottom-right"] = "top-left"
    font: str | None = None
    quality: int = Field(default=18, ge=0, le=30)


class ContentCredentials(_Settings):
    """
    A C2PA signature that says the video was made by a model; needs the extra ``c2pa``.

    The certificate chain and the private key come from two files, or from an Airflow connection (any type) whose
    password is the private key and whose extra field ``certificate`` is the chain, both PEM.

    :param certificate: Path of the certificate chain, the signer's own first; templated.
    :param private_key: Path of the private key, PKCS #8; templated.
    :param conn_id: Id of the connection that has both, instead of the two files; templated.
    :param algorithm: How the key signs.
    :param timestamp_url: Address of a time-stamp authority (RFC 3161), or None for a signature without its time.
    :param required: Whether a video that cannot be signed fails the task; if not, it is published unsigned.
    """

    template_fields: ClassVar[Sequence[str]] = ("certificate", "private_key", "conn_id")

    certificate: str | None = None
    private_key: str | None = None
    conn_id: str | None = None
    algorithm: Literal["es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519"] = "es256"
    timestamp_url: str | None = None
    required: bool = True


class VideoLabel(_Settings):
    """
    The labels that an archived video gets.

    The implicit label of GB 45438-2025 is always written: the metadata key ``AIGC`` of the MP4 file. A label that the
    file has already is kept as it is.

    :param content_producer: Name or code of who provides the generated content; templated, like all texts here.
    :param produce_id: Number of the content; None for the request id.
    :param content_propagator: Name or code of who publishes it.
    :param propagate_id: Number of the content there.
    :param reserved_code1: Security information of the producer.
    :param reserved_code2: Security information of the propagator.
    :param kind: ``"1"`` is AI-generated, ``"2"`` may be, ``"3"`` is suspected to be.
    :param visible: A text on the image as well.
    :param credentials: A C2PA signature as well.
    """

    template_fields: ClassVar[Sequence[str]] = (
        "content_producer",
        "produce_id",
        "content_propagator",
        "propagate_id",
        "reserved_code1",
        "reserved_code2",
        "visible",
        "credentials",
    )

    content_producer: str = Field(min_length=1)
    produce_id: str | None = None
    content_propagator: str = ""
    propagate_id: str = ""
    reserved_code1: str = ""
    reserved_code2: str = ""
    kind: Literal["1", "2", "3"] = "1"
    visible: VisibleLabel | None = None
    credentials: ContentCredentials | None = None

    def implicit(self, request_id: str | None) -> dict[str, str]:
        """
        Return the implicit label as GB 45438-2025, annex E, names its fields.

        :param request_id: The video's request id, taken where no ``produce_id`` is given.
        :return: The JSON object for the metadata key ``AIGC``.
        """
        return {
            "Label": self.kind,
            "ContentProducer": self.content_producer,
            "ProduceID": self.produce_id or request_id or "",
            "ReservedCode1": self.reserved_code1,
            "ContentPropagator": self.content_propagator,
            "PropagateID": self.propagate_id,
            "ReservedCode2": self.reserved_code2,
        }


def read_label(name: str, value: Any) -> VideoLabel | None:
    """
    Read a label as a task or a connection gives it, after its templates were rendered.

    :param name: The argument's name, for the error.
    :param value: A :class:`VideoLabel`, a mapping of its fields or the JSON of one; None for no label.
    :return: The label.
    :raises InvalidArgumentError: for the first thing that is wrong.
    """
    label = read_model(name, value, VideoLabel)
    if label is None:
        return None
    _check(name, label)
    return label


def _check(name: str, label: VideoLabel) -> None:
    """Check what one field alone does not tell."""
    if label.visible and not 0 < len(label.visible.text.strip()) <= MAX_TEXT:
        raise InvalidArgumentError(f"{name}.visible.text must have 1 to {MAX_TEXT} characters.")
    credentials = label.credentials
    if credentials is None:
        return
    files = [credentials.certificate, credentials.private_key]
    if bool(credentials.conn_id) == any(files) or (any(files) and not all(files)):
        raise InvalidArgumentError(
            f"{name}.credentials needs either certificate and private_key (paths of two PEM files) or conn_id (a"
            " connection with the private key as its password and the certificate chain in its extra)."
        )
