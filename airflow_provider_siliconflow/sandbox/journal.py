"""A file of events, from which jobs and ledger come back after a restart of the sandbox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Journal:
    """
    Events in a file of JSON lines.

    :param path: The file; empty keeps nothing.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path) if path else None
        self._file: IO[str] | None = None

    def read(self) -> Iterator[dict[str, Any]]:
        """
        Read the events of earlier runs. A last line cut short by a kill is dropped, from the file too.

        :yield: One event after the other, oldest first.
        """
        if self._path is None or not self._path.exists():
            return
        lines = self._path.read_text("utf-8").split("\n")
        if lines[-1]:
            self._path.write_text("".join(line + "\n" for line in lines[:-1]), "utf-8")
        for line in lines[:-1]:
            yield json.loads(line)

    def write(self, event: str, **values: Any) -> None:
        """
        Append an event; it has left this process when this returns.

        :param event: Its name; further arguments are its fields.
        """
        if self._path is None:
            return
        if self._file is None:
            self._file = self._path.open("a", encoding="utf-8")
        self._file.write(json.dumps({"event": event, **values}) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def clear(self) -> None:
        """Forget all events."""
        self.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
