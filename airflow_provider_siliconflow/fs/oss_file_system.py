"""The client of Alibaba Cloud OSS: ossfs with signatures of version 4, and lookups that need no right to list."""

from __future__ import annotations

from typing import Any

import oss2
from fsspec import AbstractFileSystem
from ossfs import OSSFileSystem

#: Seconds to connect, and without a byte.
_TIMEOUTS = (10, 60)


class OssFileSystem(OSSFileSystem):  # type: ignore[misc]
    """
    Buckets of one endpoint.

    Accounts made since 2025-03 know no signatures but version 4, which needs the region. ossfs itself signs by version
    1, finds a bucket in the list of all, and an object in the list of its folder.

    :param endpoint: URL of the region's endpoint.
    :param key: Access key id.
    :param secret: Access key secret.
    :param region: Such as ``cn-hangzhou``.
    :param token: Of temporary credentials.
    """

    def __init__(
        self, *, endpoint: str, key: str, secret: str, region: str, token: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(endpoint=endpoint, key=key, secret=secret, token=token, **kwargs)
        credentials = oss2.credentials.StaticCredentialsProvider(key, secret, token or "")
        self._auth = oss2.ProviderAuthV4(credentials)
        self._region = region

    # ossfs reads listings for these, which another task's upload makes stale.
    exists = AbstractFileSystem.exists
    isdir = AbstractFileSystem.isdir
    isfile = AbstractFileSystem.isfile

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """
        Return what is known of a bucket, object or folder.

        :param path: ``bucket/key``.
        :return: ``name``, ``type``, ``size`` and for an object its ``ETag``.
        :raises FileNotFoundError: if it is not there.
        """
        bucket, key = self.split_path(path)
        name = f"{bucket}/{key}".rstrip("/")
        if not key:
            self._call_oss("get_bucket_info", bucket=bucket)
            return {"name": name, "type": "directory", "size": 0}
        try:
            found = self._call_oss("head_object", key, bucket=bucket)
        except FileNotFoundError:
            prefix = f"{key.rstrip('/')}/"
            if not self._call_oss("list_objects", prefix, bucket=bucket, max_keys=1).object_list:
                raise
            return {"name": name, "type": "directory", "size": 0}
        return {"name": name, "type": "file", "size": found.content_length, "ETag": found.etag}

    def _get_bucket(self, bucket_name: str, connect_timeout: Any = None) -> oss2.Bucket:
        return oss2.Bucket(
            self._auth,
            self._endpoint,
            bucket_name,
            session=self._session,
            connect_timeout=connect_timeout or _TIMEOUTS,
            app_name="ossfs",
            region=self._region,
        )
