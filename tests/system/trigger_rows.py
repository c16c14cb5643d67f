"""Rewrite the rows of Airflow's trigger table as another release of this provider would have left them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.system.stack import Stack

#: Takes and returns a class path and kwargs.
Change = Callable[[str, dict[str, Any]], tuple[str, dict[str, Any]]]
_OURS = "airflow_provider_siliconflow.triggers."


def _rename(classpath: str, kwargs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return f"{classpath}Renamed", kwargs


def _drop_field(classpath: str, kwargs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return classpath, {name: value for name, value in kwargs.items() if name != "deadline"}


def _add_field(classpath: str, kwargs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return classpath, {**kwargs, "of_another_release": True}


_CHANGES: list[Change] = [_rename, _drop_field, _add_field]


def rewrite_triggers(stack: Stack, *, dry_run: bool = False) -> int:
    """
    Rewrite the rows of this provider's triggers: a renamed class, a field less, a field more, in turn.

    :param dry_run: Only count them.
    :return: How many rows there are.
    """
    from sqlalchemy import create_engine, text

    assert stack.postgres
    engine = create_engine(stack.postgres.url)
    with engine.begin() as database:
        select = text("SELECT id, classpath, kwargs FROM trigger WHERE classpath LIKE :ours ORDER BY id")
        rows = database.execute(select, {"ours": f"{_OURS}%Trigger"}).all()
        for number, (row_id, classpath, stored) in enumerate(rows if not dry_run else []):
            change = _CHANGES[number % len(_CHANGES)]
            changed, kwargs = _rewritten(stack, change, classpath, stored)
            update = text("UPDATE trigger SET classpath = :classpath, kwargs = :kwargs WHERE id = :id")
            database.execute(update, {"id": row_id, "classpath": changed, "kwargs": kwargs})
    engine.dispose()
    return len(rows)


def _rewritten(stack: Stack, change: Change, classpath: str, stored: str) -> tuple[str, str]:
    """Return the class path and the stored kwargs after a change, encrypted if they were."""
    from cryptography.fernet import Fernet

    fernet = Fernet(stack.fernet_key)
    is_plain = stored.startswith("{")
    document = json.loads(stored if is_plain else fernet.decrypt(stored.encode()))
    changed, fields = change(classpath, document.get("__var", document))
    document = {**document, "__var": fields} if "__var" in document else fields
    text = json.dumps(document)
    return changed, text if is_plain else fernet.encrypt(text.encode()).decode()
