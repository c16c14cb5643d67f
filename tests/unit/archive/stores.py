"""Object stores in memory, each with a temper of its own."""

from __future__ import annotations

from typing import Any

from fsspec.implementations.memory import MemoryFileSystem


class Store(MemoryFileSystem):  # type: ignore[misc]
    """Hold objects of one test; note what was done to them."""

    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self.store: dict[str, Any] = {}
        self.pseudo_dirs = [""]
        self.done: list[tuple[str, str]] = []

    def put_file(self, lpath: str, rpath: str, *args: Any, **kwargs: Any) -> None:
        self.done.append(("put", rpath))
        super().put_file(lpath, rpath, *args, **kwargs)

    def mv(self, path1: str, path2: str, *args: Any, **kwargs: Any) -> None:
        self.done.append(("mv", path2))
        super().mv(path1, path2, *args, **kwargs)

    def names(self) -> list[str]:
        return sorted(self.store)


class FailingStore(Store):
    """Fail an upload in its middle, as a network does."""

    def __init__(self, error: Exception, name: str = ".mp4") -> None:
        super().__init__()
        self.error = error
        self.name = name

    def put_file(self, lpath: str, rpath: str, *args: Any, **kwargs: Any) -> None:
        if rpath.endswith(self.name):
            raise self.error
        super().put_file(lpath, rpath, *args, **kwargs)


class StubbornStore(Store):
    """Refuse to move onto a file, as HDFS and SMB do."""

    def mv(self, path1: str, path2: str, *args: Any, **kwargs: Any) -> None:
        if self.exists(path2):
            raise FileExistsError(path2)
        super().mv(path1, path2, *args, **kwargs)
