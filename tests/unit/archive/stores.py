"""Object stores in memory, each with a temper of its own."""

from __future__ import annotations

import errno
import hashlib
import threading
from pathlib import Path
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


class S3Store(Store):
    """
    Be as strict as S3: conditional writes are atomic and answered as ``s3fs`` does; objects have ETags.

    :param knows_conditions: Whether ``If-None-Match`` is implemented; some stores with S3's API answer 501.
    """

    def __init__(self, *, knows_conditions: bool = True) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self.knows_conditions = knows_conditions

    def put_file(self, lpath: str, rpath: str, *args: Any, mode: str = "overwrite", **kwargs: Any) -> None:
        body = Path(lpath).read_bytes()
        if mode == "create" and not self.knows_conditions:
            raise NotImplementedError("A header you provided implies functionality that is not implemented")
        with self._lock:
            there = super().exists(rpath)
            if (mode == "create" and there) or ("IfMatch" in kwargs and kwargs["IfMatch"] != self._etag(rpath)):
                raise OSError(errno.EINVAL, "At least one of the pre-conditions you specified did not hold")
            self.done.append(("put", rpath))
            self.pipe_file(rpath, body)

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        return {**super().info(path, **kwargs), "ETag": self._etag(path)}

    def _etag(self, path: str) -> str:
        return hashlib.md5(self.cat_file(path)).hexdigest() if super().isfile(path) else ""


class AzureStore(Store):
    """Name the condition as ``adlfs`` does, whose older releases refuse by default what is there."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def put_file(self, lpath: str, rpath: str, *args: Any, overwrite: bool = False, **kwargs: Any) -> None:
        with self._lock:
            if not overwrite and super().exists(rpath):
                raise FileExistsError("File already exists!!")
            self.pipe_file(rpath, Path(lpath).read_bytes())
