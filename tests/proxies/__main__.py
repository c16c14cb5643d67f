"""The lossy proxy as a process."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import tests.proxies
from tests.proxies import LOST_ANSWERS, Loss, LossyProxy, by_chance, self_signed


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.proxies", description=tests.proxies.__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--listen", type=int, default=0, help="port; 0 for a free one")
    parser.add_argument("--folder", type=Path, help="where the certificate is written (default: a new folder)")
    parser.add_argument("--path", default="/video/submit", help="POSTs whose path ends so are lost, no others")
    parser.add_argument("--chance", type=float, default=0.3, help="share of them that is lost")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--losses", default=",".join(loss.name for loss in LOST_ANSWERS), help="names of Loss")
    parser.add_argument("--journal", type=Path, help="file for a line of JSON for each exchange")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    """Serve until SIGTERM or SIGINT."""
    options = _options(arguments)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="proxies-"))
    lose = by_chance(options.chance, options.seed, options.path, [Loss[name] for name in options.losses.split(",")])
    certificate = self_signed(folder)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    with LossyProxy(lose=lose, certificate=certificate, port=options.listen, journal=options.journal) as proxy:
        print(json.dumps({"port": proxy.port, "certificate": str(certificate[0])}), flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1:])
