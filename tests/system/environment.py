"""The environment of all parts of a stack: the configuration of its Airflow, and the default connection."""

from __future__ import annotations

import json
import os
import secrets
from typing import TYPE_CHECKING

from airflow_provider_siliconflow.sandbox.settings import Settings
from tests.system.processes import ROOT

if TYPE_CHECKING:
    from tests.system.stack import Stack

USER = "admin"


def environment_of(stack: Stack) -> dict[str, str]:
    """Return the environment of all parts of a stack: this one, less what configures another Airflow."""
    passwords = stack.home / "passwords.json"
    passwords.write_text(json.dumps({USER: stack.password}))
    passwords.chmod(0o600)
    connection = {
        "conn_type": "siliconflow",
        "password": Settings().key,
        "host": f"{stack.sandbox_url}/v1",
        "extra": dict(stack.settings.connection),
    }
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")},
        "AIRFLOW_HOME": str(stack.home),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__API__BASE_URL": stack.api.url,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__DAGS_FOLDER": str(stack.settings.dags),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{stack.api.url}/execution/",
        "AIRFLOW__CORE__EXECUTOR": stack.settings.executor,
        "AIRFLOW__CORE__FERNET_KEY": stack.fernet_key,
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": str(stack.settings.parallelism),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": _database_url(stack),
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(stack.home / "logs"),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW_CONN_SILICONFLOW_DEFAULT": json.dumps(connection),
        "NO_PROXY": "127.0.0.1,localhost",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        **_celery(stack),
        **stack.settings.env,
    }


def _database_url(stack: Stack) -> str:
    return stack.postgres.url if stack.postgres else f"sqlite:///{stack.home / 'airflow.db'}"


def _celery(stack: Stack) -> dict[str, str]:
    if not stack.redis:
        return {}
    return {
        "AIRFLOW__CELERY__BROKER_URL": stack.redis.url,
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{_database_url(stack)}",
        "AIRFLOW__CELERY__SYNC_PARALLELISM": "1",
        # A worker that is killed between taking a task and starting it leaves it queued: Airflow queues it again after
        # ten minutes by default, which is longer than a scenario waits.
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "150",
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "15",
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(max(1, stack.settings.parallelism // stack.settings.workers)),
    }
