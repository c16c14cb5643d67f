"""The operators, by the path that Airflow's users look under."""

from __future__ import annotations

from airflow_provider_siliconflow.operators.archive import ArchiveVideoOperator
from airflow_provider_siliconflow.operators.batch import GenerateVideoBatchOperator
from airflow_provider_siliconflow.operators.generate import GenerateVideoOperator
from airflow_provider_siliconflow.operators.submit import SubmitVideoOperator

__all__ = ["ArchiveVideoOperator", "GenerateVideoBatchOperator", "GenerateVideoOperator", "SubmitVideoOperator"]
