"""Incidents of a chaos scenario: a key is rotated, a connection is away, tasks are cleared, a release changes."""

from __future__ import annotations

import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.system.audit import Run
from tests.system.chaos_connections import Connections
from tests.system.chaos_plan import Scenario
from tests.system.cluster import kill_triggerers
from tests.system.trigger_rows import rewrite_triggers

#: Seconds on the sandbox's clock until the connections have a rotated key, and for which a connection is away.
_ROTATION, _ABSENCE = 120, 300
#: Advances an incident; yields until it is over.
Incident = Iterator[None]


@dataclass(frozen=True)
class Scene:
    """
    What incidents act on.

    :param speed: Of the sandbox's clock.
    """

    run: Run
    scenario: Scenario
    connections: Connections
    speed: float
    seed: int

    def states(self, variant: str) -> dict[str, str | None]:
        """Return the states of the task instances of a variant, by name."""
        names = {name for video in self.scenario.videos if video.variant == variant for name in video.chain}
        return {name: task.state for name, task in self.run.tasks().items() if name in names}


def _pause(seconds: float) -> Incident:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield


def _rotate_key(scene: Scene) -> Incident:
    """Rotate the API key at the service; the connections get the new one later."""
    key = f"sk-{secrets.token_hex(24)}"
    scene.run.stack.sandbox("keys", "POST", {"account": "cn", "key": key})
    yield from _pause(_ROTATION / scene.speed)
    scene.connections.use_key(key)


def _remove_connection(scene: Scene) -> Incident:
    """Delete a connection while videos wait, restart the triggerers, and create it again later."""
    while "deferred" not in (states := set(scene.states("away").values())):
        if states and states <= {"success", "failed"}:
            return
        yield
    scene.connections.delete("siliconflow_away")
    kill_triggerers(scene.run.stack)
    yield from _pause(_ABSENCE / scene.speed)
    scene.connections.create("siliconflow_away")


def _clear_tasks(scene: Scene) -> Incident:
    """Clear some tasks with ``reuse_on_clear``, in whatever state they are."""
    names = sorted(name for name, state in scene.states("cleared").items() if state not in (None, "scheduled"))
    chosen = random.Random(f"clears {scene.seed}").sample(names, max(1, len(names) // 2)) if names else []
    while not chosen:
        yield
        chosen = sorted(scene.states("cleared"))[:1]
    tasks = scene.run.tasks()
    scene.run.stack.api.clear(scene.run.dag_id, scene.run.run_id, [tasks[name] for name in chosen])


def _change_release(scene: Scene) -> Incident:
    """Restart the triggerers with rows of another release: a field less, a field more, a renamed class."""
    stack = scene.run.stack
    while not rewrite_triggers(stack, dry_run=True):
        yield
    kill_triggerers(stack, while_down=lambda: rewrite_triggers(stack))


#: Incidents by their names, with how far the scenario is when each begins, from 0 to 1.
_INCIDENTS: list[tuple[str, float, Callable[[Scene], Incident]]] = [
    ("connection away", 0.1, _remove_connection),
    ("clear", 0.25, _clear_tasks),
    ("other release", 0.4, _change_release),
    ("key rotated", 0.5, _rotate_key),
    ("clear", 0.6, _clear_tasks),
    ("other release", 0.65, _change_release),
]


class Incidents:
    """
    Begins the incidents when they are due, and advances them.

    :param chance: Whether there are any.
    """

    def __init__(self, scene: Scene, chance: bool) -> None:
        self._scene = scene
        self._left = list(_INCIDENTS) if chance else []
        self._running: list[tuple[str, Incident]] = []
        #: Incidents that are over, by name.
        self.done: Counter[str] = Counter()

    def step(self, progress: float) -> None:
        """
        Advance what is due.

        :param progress: How far the scenario is, from 0 to 1.
        """
        while self._left and self._left[0][1] <= progress:
            name, _, begin = self._left.pop(0)
            self._running.append((name, begin(self._scene)))
        for name, incident in list(self._running):
            try:
                next(incident)
            except StopIteration:
                self.done[name] += 1
                self._running.remove((name, incident))

    def finish(self) -> None:
        """Advance the incidents that have begun to their ends, for the run is over."""
        self._left.clear()
        deadline = time.monotonic() + 2 * _ABSENCE / self._scene.speed
        while self._running and time.monotonic() < deadline:
            self.step(1)
            time.sleep(0.2)
