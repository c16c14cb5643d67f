"""File systems: a local folder, and SFTP servers with and without what some of them lack."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from tests.stores.front import Rule
from tests.stores.kinds import BUCKET, Kind, Variant, _Silence, closed_port

#: What an SFTP server answers with "permission denied".
_REFUSED: dict[Variant, tuple[str, ...]] = {
    "no_write": ("open", "mkdir", "rename", "posix_rename", "remove", "rmdir"),
    "no_list": ("listdir", "scandir"),
    "write_only": ("listdir", "scandir"),
}


class LocalKind(Kind):
    name = "local"
    scheme = "file"

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="siliconflow-stores-")))
        (self.root / BUCKET).mkdir()

    def uri(self, variant: Variant = "right", *rules: Rule) -> str:
        uri = super().uri(variant, *rules)
        if variant == "no_write" and type(self) is LocalKind:
            # Rights do not bind root, by whom tests may be run; a file in the folder's place does.
            Path(uri).touch()
        return uri

    def join(self, conn_id: str, bucket: str, folder: str) -> str:
        return f"{self.root}/{bucket}/{folder}"

    def path(self, uri: str) -> Path:
        return Path(uri)

    def connection(self, variant: Variant, *rules: Rule) -> dict[str, Any]:
        return {"conn_type": "fs"}

    def names(self, folder: str) -> list[str]:
        path = self.path(folder)
        return sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []

    def read(self, uri: str) -> tuple[bytes, str]:
        return self.path(uri).read_bytes(), "-"


class SftpKind(LocalKind):
    name = "SFTP"
    scheme = "sftp"
    renames = shell = True
    third = 1 << 18

    def join(self, conn_id: str, bucket: str, folder: str) -> str:
        return f"sftp://{conn_id}@/{bucket}/{folder}"

    def path(self, uri: str) -> Path:
        return self.root / self.key(uri)

    def connection(self, variant: Variant, *rules: Rule) -> dict[str, Any]:
        from tests.stores.sftp_server import PASSWORD, USER, SftpServer

        if variant in ("refused", "silent"):
            port = closed_port() if variant == "refused" else self.stack.enter_context(_Silence()).port
        else:
            refused = ("mkdir", *_REFUSED["no_write"]) if variant == "missing_bucket" else _REFUSED.get(variant, ())
            options: dict[str, Any] = {"renames": self.renames, "shell": self.shell, "gate": next(iter(rules), None)}
            port = self.stack.enter_context(SftpServer(self.root, refused=refused, **options)).port
        password = "wrong" if variant == "wrong_credentials" else PASSWORD
        extra = {"no_host_key_check": True}
        return {
            **{"conn_type": "sftp", "host": "127.0.0.1", "port": port, "login": USER},
            **{"password": password, "extra": extra},
        }


class PlainSftpKind(SftpKind):
    """A server without posix-rename and without a shell."""

    name = "SFTP, no posix-rename, no shell"
    renames = shell = False
