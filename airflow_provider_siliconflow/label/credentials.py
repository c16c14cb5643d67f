"""Content credentials (C2PA): a signature that says a video was made by a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow import __version__
from airflow_provider_siliconflow.exceptions import VideoLabelError

if TYPE_CHECKING:
    from pathlib import Path

HOW_TO_INSTALL = "pip install 'airflow-provider-siliconflow[c2pa]'"
#: https://cv.iptc.org/newscodes/digitalsourcetype/, the term that the C2PA specification names for model output.
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


@dataclass(frozen=True)
class SigningKey:
    """
    What signs; never shown.

    :param certificate: The certificate chain, PEM.
    :param private_key: The key, PEM.
    :param algorithm: ``es256`` or another of the C2PA specification.
    :param timestamp_url: Address of a time-stamp authority, or None.
    :param required: Whether a video that cannot be signed fails the task.
    """

    certificate: str = field(repr=False)
    private_key: str = field(repr=False)
    algorithm: str = "es256"
    timestamp_url: str | None = None
    required: bool = True


def sign(source: Path, target: Path, key: SigningKey, model: str | None) -> dict[str, Any]:
    """
    Sign a video and validate the result.

    :param source: A local MP4 file.
    :param target: The file to write.
    :param key: What signs.
    :param model: The model that made the video, named as the software agent.
    :return: What the signature says, as :func:`read`.
    :raises VideoLabelError: if it cannot be signed, or if the signed file does not validate.
    """
    c2pa = _library()
    try:
        info = c2pa.C2paSignerInfo(
            key.algorithm, key.certificate.encode(), key.private_key.encode(), key.timestamp_url or None
        )
        with c2pa.Signer.from_info(info) as signer, c2pa.Builder(_definition(model)) as builder:
            target.unlink(missing_ok=True)
            builder.sign_file(str(source), str(target), signer)
    except Exception as error:  # of a native library: its classes are private, and no message of it holds the key
        raise VideoLabelError(f"The content credentials cannot be written: {type(error).__name__}: {error}") from None
    found = read(target)
    if found is None or found["state"] not in ("Valid", "Trusted"):
        raise VideoLabelError(f"The content credentials, read back, do not validate: {found}.")
    return found


def read(path: Path) -> dict[str, Any] | None:
    """
    Return what the content credentials of a video say.

    :param path: A local file.
    :return: Its ``state`` (``Valid``: whole, signed with some key; ``Trusted``: by a certificate on the
        machine's list of trust; ``Invalid``), ``issuer``, ``algorithm`` and ``source_types``; None if it has none.
    :raises VideoLabelError: if they cannot be read.
    """
    c2pa = _library()
    try:
        reader = c2pa.Reader.try_create(str(path))
        if reader is None:
            return None
        with reader:
            manifest = reader.get_active_manifest()
            state = reader.get_validation_state()
    except Exception as error:
        raise VideoLabelError(f"The content credentials cannot be read: {type(error).__name__}: {error}") from None
    signature = manifest.get("signature_info", {})
    actions = [
        action
        for assertion in manifest.get("assertions", [])
        if str(assertion.get("label", "")).startswith("c2pa.actions")
        for action in assertion.get("data", {}).get("actions", [])
    ]
    return {
        "state": state,
        "issuer": signature.get("issuer"),
        "algorithm": signature.get("alg"),
        "source_types": [action["digitalSourceType"] for action in actions if "digitalSourceType" in action],
    }


def _definition(model: str | None) -> dict[str, Any]:
    created: dict[str, Any] = {"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE}
    if model:
        created["softwareAgent"] = {"name": model}
    return {
        "claim_generator_info": [{"name": "airflow-provider-siliconflow", "version": __version__}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [created]}}],
    }


def _library() -> Any:
    try:
        import c2pa
    except ImportError as missing:
        raise VideoLabelError(f"Content credentials need c2pa-python: {HOW_TO_INSTALL}. ({missing})") from missing
    return c2pa
