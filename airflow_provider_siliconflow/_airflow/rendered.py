"""What Airflow does with the template fields of a task: it renders them, stores them and shows them."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from airflow_provider_siliconflow._airflow.names import mask_secret
from airflow_provider_siliconflow._airflow.releases import redacts_rendered_fields


class HiddenText:
    """
    A text that Airflow stores as ``***`` where it is a rendered field.

    :param text: The text; ``str`` gives it.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text

    def serialize(self) -> str:
        """
        Return what Airflow stores.

        :return: Three asterisks.
        """
        return "***"


def hide(text: str) -> Any:
    """
    Mask a secret that is the value of a template field.

    :param text: The secret.
    :return: What to set the field to: the text itself where Airflow redacts rendered fields by what is masked (3.1 and
        later), else a :class:`HiddenText`.
    """
    mask_secret(text)
    return text if redacts_rendered_fields() else HiddenText(text)


def plain_path(value: Any) -> Any:
    """
    Return a path of a file system as text, for a template field.

    Before Airflow 3.2, rendering calls ``resolve`` of whatever has it, which a path takes for "must exist".

    :param value: What the user gave.
    :return: Text for a path; all else as it is, an ``ObjectStoragePath`` included.
    """
    # Before universal-pathlib 0.3, paths of object storages are paths as well; those have a protocol.
    return str(value) if isinstance(value, PurePath) and not hasattr(value, "protocol") else value
