"""The hook of a task, made once for each process."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook


class HookMixin:
    """A task with an Airflow connection to the service."""

    siliconflow_conn_id: str

    @cached_property
    def hook(self) -> SiliconFlowHook:
        """
        Return the hook of the connection.

        :return: The hook, which reads the connection once and loads the certificates once.
        """
        # Imported here, since a DAG file needs no HTTP library.
        from airflow_provider_siliconflow.hooks.siliconflow import SiliconFlowHook

        return SiliconFlowHook(self.siliconflow_conn_id)
