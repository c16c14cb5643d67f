"""
Slots of a spend limit: small files of which each can be created by one task only.

The count of a period is a folder; slot ``0001`` to the limit are files in it, created exclusively, each with the key of
the submit that holds it. So of any number of tasks at once no more than the limit get one, and a retry that was killed
after it had claimed a slot finds it again. Whatever goes wrong with the folder, nothing is submitted.
"""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_siliconflow.archive import stores
from airflow_provider_siliconflow.archive.destination import understand
from airflow_provider_siliconflow.archive.staging import staging
from airflow_provider_siliconflow.archive.threads import bounded
from airflow_provider_siliconflow.client.masking import describe_error
from airflow_provider_siliconflow.exceptions import SpendLimitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from airflow.sdk import ObjectStoragePath

    from airflow_provider_siliconflow.spend_limit import Period

log = logging.getLogger(__name__)

#: Seconds for the claim or the release of one slot.
_TIMEOUT = 60.0
#: Bytes of a slot at most.
_LIMIT = 1 << 16


@dataclass(frozen=True)
class SlotFolder:
    """
    The slots of one period.

    :param folder: Where all counts are kept.
    :param scope: Whose videos are counted, for people: ``connection siliconflow_default`` or ``DAG my_dag``.
    :param period: What is counted.
    """

    folder: str
    scope: str
    period: Period

    @property
    def name(self) -> str:
        """Return whose slots these are, for people."""
        return f"{self.scope}, {self.period.name}"

    def claim(self, key: str) -> bool:
        """
        Take a slot, or find the one that this submit holds already.

        :param key: Of the submit, the same for all tries that may send it.
        :return: Whether there is one; if not, the limit is reached.
        :raises SpendLimitError: if that cannot be found out; nothing may be submitted then.
        """
        with self._failing_closed():
            return bool(bounded(lambda: self._claim(key), _TIMEOUT, self.folder))

    def release(self, key: str) -> None:
        """
        Give a slot back, since nothing came of its submit; never raises.

        :param key: Of the submit.
        """
        try:
            bounded(lambda: self._release(key), _TIMEOUT, self.folder)
        except Exception as error:
            log.warning("The slot in %s stays taken (%s): %s", self.folder, self.name, describe_error(error))

    def note(self, keys: Sequence[str]) -> int:
        """
        Note submits that a dry run would send, each once however often it is noted.

        :param keys: Of the submits.
        :return: How many submits are noted, by all tasks.
        :raises SpendLimitError: if they cannot be noted.
        """
        with self._failing_closed():
            return bounded(lambda: self._note(keys), _TIMEOUT, self.folder)

    def used(self) -> int:
        """
        Count the slots that are taken.

        :return: Videos.
        :raises SpendLimitError: if that cannot be found out.
        """
        with self._failing_closed():
            return len(bounded(self._taken, _TIMEOUT, self.folder))

    @contextmanager
    def _failing_closed(self) -> Iterator[None]:
        try:
            yield
        except SpendLimitError:
            raise
        except Exception as error:
            raise SpendLimitError(
                f"The spend limit of {self.name} cannot be read in {self.folder}: {describe_error(error)}."
            ) from error

    def _note(self, keys: Sequence[str]) -> int:
        for key in keys:
            # Named by its key, so that a retry notes nothing twice.
            self._create(self._file(f"slot-{_digest(key)}"), key)
        return len(self._taken())

    def _claim(self, key: str) -> bool:
        taken = self._taken()
        # Only a retry may hold a slot already: others need not read what is in all of them.
        if not self._create(self._marker(key), key) and self._own(key, taken):
            return True
        free = [name for name in map(_slot, range(1, self.period.limit + 1)) if name not in taken]
        return any(self._take(self._file(name), key) for name in _in_order(free, key))

    def _take(self, path: ObjectStoragePath, key: str) -> bool:
        # An upload whose answer was lost is repeated by the store's client, and then meets its own object.
        return self._create(path, key) or _key(stores.read_small(path, _LIMIT) or b"") == key

    def _release(self, key: str) -> None:
        own = self._own(key, self._taken())
        if own:
            stores.remove(own)
        # Last: without it the next claim of this submit looks for no slot of its own.
        stores.remove(self._marker(key))

    def _own(self, key: str, taken: dict[str, ObjectStoragePath]) -> ObjectStoragePath | None:
        for name in _in_order(taken, key):
            content = stores.read_small(taken[name], _LIMIT)
            if content and _key(content) == key:
                return taken[name]
        return None

    def _create(self, path: ObjectStoragePath, key: str) -> bool:
        with staging(path) as stage:
            stage.write_text(json.dumps({"version": 1, "key": key, "scope": self.scope, "period": self.period.name}))
            try:
                stores.create(stage, path, must_be_exclusive=True)
            except FileExistsError:
                return False
        return True

    def _taken(self) -> dict[str, ObjectStoragePath]:
        folder = self._file("slot").parent
        folder.fs.invalidate_cache(folder.path)
        try:
            names = [str(found).rsplit("/", 1)[-1] for found in folder.fs.ls(folder.path, detail=False)]
        except FileNotFoundError:
            return {}
        return {name: folder / name for name in names if name.startswith("slot-")}

    def _marker(self, key: str) -> ObjectStoragePath:
        return self._file(f"submit-{_digest(key)}")

    def _file(self, name: str) -> ObjectStoragePath:
        # Names of runs and zones have characters that are none for a path.
        digest = _digest(f"{self.scope}\0{self.period.name}")[:20]
        return understand(f"{self.folder.rstrip('/')}/{digest}/{name}", None).path


def _slot(number: int) -> str:
    return f"slot-{number:06d}"


def _in_order(names: Iterable[str], key: str) -> list[str]:
    """Return slots in the order in which a submit tries them: tasks at once try others, a retry finds its own soon."""
    return sorted(names, key=lambda name: _digest(f"{key} {name}"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _key(content: bytes) -> Any:
    try:
        found = json.loads(content)
    except ValueError:
        return None
    return found.get("key") if isinstance(found, dict) else None
