"""The command line; its switches are made from the settings."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import signal
import sys
import typing

from airflow_provider_siliconflow.sandbox.app import SITES
from airflow_provider_siliconflow.sandbox.clock import Clock
from airflow_provider_siliconflow.sandbox.faults import KINDS, ROUTES, Fault
from airflow_provider_siliconflow.sandbox.render import require
from airflow_provider_siliconflow.sandbox.server import LOOPBACK, Server
from airflow_provider_siliconflow.sandbox.settings import Settings

if typing.TYPE_CHECKING:
    from collections.abc import Sequence

PORT = 8765
_FAULT_HELP = (
    "add a fault, e.g. route=submit,kind=reset,after=true,chance=0.05 (may be given often). "
    f"Routes: {', '.join(ROUTES)}. Kinds: {', '.join(KINDS)}"
)


def _fault(text: str) -> Fault:
    try:
        return Fault.parse(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def parser() -> argparse.ArgumentParser:
    """
    Return the command line's parser.

    :return: With one switch for each setting.
    """
    made = argparse.ArgumentParser(
        prog="siliconflow-sandbox",
        description="A stand-in for the SiliconFlow video API.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    made.add_argument("--host", default=LOOPBACK, help="address to listen on")
    made.add_argument("--port", type=int, default=PORT, help="port to listen on; 0 picks a free one")
    made.add_argument("--fault", dest="faults", type=_fault, action="append", default=[], help=_FAULT_HELP)
    types = typing.get_type_hints(Settings)
    for switch in dataclasses.fields(Settings):
        if switch.name == "faults":
            continue
        kind, flag, text = types[switch.name], "--" + switch.name.replace("_", "-"), switch.metadata["help"]
        if kind is bool:
            made.add_argument(flag, action=argparse.BooleanOptionalAction, default=switch.default, help=text)
            continue
        read = kind if kind in (int, float, str) else _names
        made.add_argument(flag, type=read, default=switch.default, choices=switch.metadata["choices"], help=text)
    return made


async def serve(settings: Settings, host: str, port: int) -> None:
    """
    Listen until SIGINT or SIGTERM.

    :param settings: The switches.
    :param host: Address to listen on.
    :param port: Port; 0 picks a free one.
    :raises OSError: If the port is taken.
    """
    ending, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ending.set)
    server = Server(settings, Clock())
    try:
        root = f"http://{host}:{await server.start(host, port)}"
        cn, com = (root + prefix for prefix in SITES)
        keys = f"{cn} key {settings.key} (second account {settings.key_other}) | {com} key {settings.key_com}"
        print(f"SiliconFlow sandbox: {keys}", flush=True)
        await ending.wait()
    finally:
        await server.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the sandbox.

    :param arguments: Command line; ``None`` is the process's own.
    :return: Exit code.
    """
    chosen = vars(parser().parse_args(arguments))
    host, port = chosen.pop("host"), chosen.pop("port")
    try:
        require()
        asyncio.run(serve(Settings(**chosen | {"faults": tuple(chosen["faults"])}), host, port))
    except (OSError, RuntimeError, ValueError) as wrong:
        print(f"siliconflow-sandbox: {wrong}", file=sys.stderr)
        return 1
    return 0
