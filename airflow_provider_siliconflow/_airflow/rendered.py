"""A secret among the rendered fields of a task, which Airflow stores and shows."""

from __future__ import annotations

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
