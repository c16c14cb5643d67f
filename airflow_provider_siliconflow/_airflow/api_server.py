"""What the gallery needs of Airflow's API server: its login, its rights and its database (Airflow 3.1 and later)."""

from __future__ import annotations

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
from airflow.models.dagrun import DagRun
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session

__all__ = [
    "DagAccessEntity",
    "DagRun",
    "XComModel",
    "create_session",
    "get_auth_manager",
    "get_user",
    "requires_access_dag",
]
