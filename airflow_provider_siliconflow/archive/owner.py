"""Who holds a claim, in words: ``dag_id/run_id/task_id/map_index``."""

from __future__ import annotations


def describe_owner(owner: str) -> str:
    """Return the words for an owner."""
    parts = _parts(owner)
    if not parts:
        return f"{owner[:200]!r}"
    dag_id, run_id, task_id, map_index = parts
    index = f", map index {map_index}" if map_index not in ("", "-1") else ""
    return f"DAG {dag_id}, run {run_id}, task {task_id}{index}"


def is_sibling(owner: str, other: str) -> bool:
    """Tell whether two owners are mapped instances of one task in one run."""
    mine, theirs = _parts(owner), _parts(other)
    return mine is not None and theirs is not None and mine[:3] == theirs[:3] and mine != theirs


def _parts(owner: str) -> tuple[str, str, str, str] | None:
    """Take an owner apart; a run id may have slashes in it."""
    dag_id, _, rest = owner.partition("/")
    run_id, _, last = rest.rpartition("/")
    run_id, _, task_id = run_id.rpartition("/")
    return (dag_id, run_id, task_id, last) if dag_id and run_id and task_id else None
