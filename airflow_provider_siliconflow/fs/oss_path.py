"""Paths on OSS, written as users write them."""

from __future__ import annotations

from airflow.sdk import ObjectStoragePath


class OssPath(ObjectStoragePath):
    """
    A path ``oss://conn_id@bucket/key``.

    The path library of newer Airflow releases takes the bucket of a scheme that it does not know for a folder of a
    root, and shows ``oss://conn_id@/bucket/key``.
    """

    @property
    def path(self) -> str:
        """Bucket and key."""
        return str(super().path).lstrip("/")

    def __str__(self) -> str:
        return str(super().__str__()).replace("@/", "@", 1)  # type: ignore[no-untyped-call]

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)
