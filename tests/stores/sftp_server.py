"""An SFTP server on a thread, with or without what some servers lack."""

from __future__ import annotations

import asyncio
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

asyncssh: Any = import_module("asyncssh")
_STEP = 1 << 18
USER, PASSWORD = "videos", "right"


class SftpServer:
    """
    A server whose root is a folder; a context manager.

    :param root: The folder.
    :param renames: Whether it knows ``posix-rename@openssh.com``.
    :param shell: Whether it runs commands.
    :param refused: Names of calls (``open``, ``stat``, ...) that are answered with "permission denied".
    :param gate: Asked before each call that changes something, with its name; the call fails if it says so.
    """

    def __init__(
        self,
        root: Path,
        *,
        renames: bool = True,
        shell: bool = True,
        refused: tuple[str, ...] = (),
        gate: Any = None,
    ) -> None:
        self.root = root
        self._options = {"renames": renames, "refused": refused, "gate": gate}
        self._shell = shell
        self._loop = asyncio.new_event_loop()
        self.port = 0

    def __enter__(self) -> SftpServer:
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._server = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(30)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _start(self) -> Any:
        kind = _kind(**self._options)
        return await asyncssh.create_server(
            _Login,
            "127.0.0.1",
            0,
            server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            sftp_factory=lambda channel: kind(channel, chroot=str(self.root).encode()),
            process_factory=self._run if self._shell else None,
            allow_scp=False,
        )

    async def _stop(self) -> None:
        self._server.close()
        # Else each tells at the end of the process that it was destroyed.
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=10)

    async def _run(self, process: Any) -> None:
        """Run the one command that clients use: ``cp``."""
        words = __import__("shlex").split(process.command or "")
        if words[:1] != ["cp"]:
            process.exit(127)
            return
        source, target = (self.root / word.lstrip("/") for word in words[1:3])
        target.write_bytes(source.read_bytes())
        process.exit(0)


class _Login(asyncssh.SSHServer):  # type: ignore[misc]
    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)


def _kind(renames: bool, refused: tuple[str, ...], gate: Any) -> Any:
    """Make the class of a server."""
    base = asyncssh.SFTPServer

    class Server(base):  # type: ignore[misc, valid-type]
        def posix_rename(self, old: bytes, new: bytes) -> Any:
            if not renames:
                raise asyncssh.sftp.SFTPOpUnsupported("posix-rename is not supported")
            return super().posix_rename(old, new)

    _hold(Server, gate)

    def deny(*_: Any) -> None:
        raise asyncssh.sftp.SFTPPermissionDenied("Permission denied")

    for name in refused:
        setattr(Server, name, deny)
    if "open" in refused:

        def open_to_read(self: Any, path: bytes, flags: int, attrs: Any) -> Any:
            return deny() if flags & ~1 else base.open(self, path, flags, attrs)

        Server.open = open_to_read
    return Server


def _hold(server: Any, gate: Any) -> None:
    """Let a gate hold the calls that change something."""

    def gated(original: Any, name: str) -> Any:
        def call(self: Any, *args: Any) -> Any:
            # A video has hundreds of writes, of which one in each 256 KiB counts as a call.
            is_counted = name != "write" or args[1] % _STEP < len(args[2])
            if gate.hold(name if is_counted else ""):
                raise asyncssh.sftp.SFTPConnectionLost("The test holds this call")
            return original(self, *args)

        return call

    for name in ("write", "posix_rename", "remove", "mkdir") if gate else ():
        setattr(server, name, gated(getattr(server, name), name))
