"""A publisher that SIGKILL ends at each of its calls that change something, and the retry."""

from __future__ import annotations

import os
from typing import Any

from airflow_provider_siliconflow.archive.destination import understand
from airflow_provider_siliconflow.archive.staging import sweep
from tests.stores.each import ALL_KINDS, each
from tests.stores.file_kinds import LocalKind
from tests.stores.kills import Gate, LocalGate, leftovers, pair
from tests.stores.kinds import Kind
from tests.stores.victim import publish

#: More calls than any store takes for one pair.
_MOST = 40
Seen = tuple[tuple[str | None, str | None], list[str]]


@each(*ALL_KINDS)
def test_a_killed_upload_leaves_no_half_video_and_the_retry_leaves_nothing(kind: Kind, cell: Any) -> None:
    seen = killed_at_each_point(kind, "fail")
    assert {found for found, _ in seen} <= {(None, None), ("new", None), ("new", "new")}
    cell("half-written visible, at any kill in an upload", f"never ({len(seen)} points), each retried to a whole pair")
    assert sorted({name for _, names in seen for name in names}) == []
    cell("leftovers once retried", "hidden, for a minute" if type(kind) is LocalKind else "none")


@each(*ALL_KINDS)
def test_a_killed_overwrite_leaves_no_wrong_pair(kind: Kind, cell: Any) -> None:
    seen = killed_at_each_point(kind, "overwrite")
    found = {found for found, _ in seen}
    assert found <= {("old", "old"), ("old", None), ("new", None), ("new", "new")}
    told = ", ".join(sorted({f"{video} with {manifest or 'no'} manifest" for video, manifest in found}))
    cell("any kill in an overwrite", f"{told} ({len(seen)} points), each retried to the new pair")


def killed_at_each_point(kind: Kind, if_exists: str) -> list[Seen]:
    """Return what was there after each kill, and what was left after the retry besides the pair."""
    seen: list[Seen] = []
    conn_id = _conn_id(kind.uri())
    for point in range(1, _MOST):
        gate = LocalGate(point) if type(kind) is LocalKind else Gate(point)
        gated = kind.uri("right", gate)
        folder = gated.replace(_conn_id(gated), conn_id, 1)
        if if_exists == "overwrite":
            publish(folder, kind.third, "old")
        gate.publish(gated, kind.third, "new", if_exists)
        if not gate.is_closed:
            return seen
        found = pair(kind, folder)
        assert publish(folder, kind.third, "new", if_exists)["request_id"] == "new"
        assert pair(kind, folder) == ("new", "new"), gate.calls
        if type(kind) is LocalKind:
            sweep_later(kind, folder)
        seen.append((found, leftovers(kind, folder)))
    raise AssertionError(f"more calls than expected: {gate.calls}")


def sweep_later(kind: LocalKind, folder: str) -> None:
    """Sweep as the next task does; what is a minute old was left behind."""
    for name in kind.names(folder):
        if name.startswith("."):
            os.utime(kind.path(f"{folder}/{name}"), (0, 0))
    sweep(understand(f"{folder}/clip.mp4", "new").path)


def _conn_id(uri: str) -> str:
    before, at, _ = uri.partition("@")
    return before.rpartition("/")[2] if at else ""
