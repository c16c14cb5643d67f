"""The labels of a task's videos: what the task or its connection says, with the key that signs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow._airflow.names import AirflowNotFoundException
from airflow_provider_siliconflow.billing import Billing
from airflow_provider_siliconflow.client.masking import mask_text
from airflow_provider_siliconflow.exceptions import InvalidArgumentError, SiliconFlowError, VideoLabelError
from airflow_provider_siliconflow.label.settings import VideoLabel, read_label

if TYPE_CHECKING:
    from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook
    from airflow_provider_siliconflow.label.apply import Labeller
    from airflow_provider_siliconflow.label.credentials import SigningKey
    from airflow_provider_siliconflow.label.settings import ContentCredentials

#: Bytes of a PEM file at most.
_PEM_LIMIT = 1 << 18


def check_label(hook: SiliconFlowHook, label: Any) -> None:
    """
    Label a clip of one frame before any money is spent, so that a missing library, font or key costs nothing.

    :param hook: The service.
    :param label: What the task says, rendered.
    :raises SiliconFlowError: if videos cannot be labelled here; nothing was submitted.
    """
    try:
        labeller = labeller_of(hook, label)
        if labeller:
            labeller.check()
    except VideoLabelError as error:
        # Libraries quote what they were given, the address of a time stamping server among it.
        raise VideoLabelError(mask_text(error.message), billing=Billing.NOT_SUBMITTED) from None
    except SiliconFlowError as error:
        error.with_billing(Billing.NOT_SUBMITTED)
        raise


def label_fields(label: Any) -> Any:
    """
    Return a label as an operator keeps it: as plain values, of which Airflow renders a copy for each task instance.

    :param label: What the user gave.
    :return: The fields of a :class:`~airflow_provider_siliconflow.label.VideoLabel`; anything else as it is.
    """
    return label.model_dump() if isinstance(label, VideoLabel) else label


def labeller_of(hook: SiliconFlowHook, label: Any) -> Labeller | None:
    """
    Return what labels the videos of a task.

    :param hook: The service; its connection's field ``video_label`` counts where the task says nothing.
    :param label: What the task says, rendered.
    :return: None for no label.
    :raises InvalidArgumentError: if the label cannot be understood, or the signing key cannot be read.
    """
    read = read_label("video_label", label) or hook.settings.video_label
    if read is None:
        return None
    from airflow_provider_siliconflow.label.apply import Labeller

    return Labeller(read, _key(hook, read.credentials) if read.credentials else None)


def _key(hook: SiliconFlowHook, said: ContentCredentials) -> SigningKey:
    """Read the certificate chain and the private key."""
    from airflow_provider_siliconflow.label.credentials import SigningKey

    if said.conn_id:
        try:
            connection = hook.get_connection(said.conn_id)
        except AirflowNotFoundException as error:
            raise InvalidArgumentError(f"video_label.credentials.conn_id: {error}") from error
        certificate, private_key = connection.extra_dejson.get("certificate"), connection.password
        if not isinstance(certificate, str) or not private_key:
            raise InvalidArgumentError(
                f"video_label.credentials: the connection {said.conn_id!r} needs the private key as its password and"
                " the certificate chain as the field `certificate` of its extra, both PEM."
            )
    else:
        certificate, private_key = (_pem(name, getattr(said, name)) for name in ("certificate", "private_key"))
    return SigningKey(certificate, private_key, said.algorithm, said.timestamp_url, said.required)


def _pem(name: str, path: str) -> str:
    try:
        with Path(path).open(encoding="ascii") as file:
            return file.read(_PEM_LIMIT)
    except (OSError, ValueError) as error:
        # A ValueError of a decoder shows the bytes that it met.
        why = error.strerror if isinstance(error, OSError) else "it is no PEM file"
        raise InvalidArgumentError(f"video_label.credentials.{name}: {path!r} cannot be read: {why}.") from None
