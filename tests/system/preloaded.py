"""
Airflow's command line, with everything loaded before that a task needs.

A process of a task is forked from Airflow's own: what is loaded there is loaded once, not for each task, and what the
suites try begins after it. ``make demo`` runs Airflow as it is.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module

from airflow.__main__ import main

#: The second names one of Airflow 3.0's that has moved since.
_MODULES = (
    "airflow.dag_processing.dagbag",
    "airflow.models.dagbag",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
    "airflow.providers.standard.operators.empty",
    "airflow_provider_siliconflow.decorators.video",
    "airflow_provider_siliconflow.hooks.siliconflow",
    "airflow_provider_siliconflow.operators.video",
    "airflow_provider_siliconflow.sensors.video",
    "airflow_provider_siliconflow.triggers.batch",
    "airflow_provider_siliconflow.triggers.video",
)

if __name__ == "__main__":
    for name in _MODULES:
        with suppress(ModuleNotFoundError):
            import_module(name)
    main()
