"""
Clean up after a process that is gone: kill the sessions it named, remove the folder it used.

Reads session ids from standard input, one a line. The end of input means that the other side has ended, be it by
SIGKILL: the kernel closes the pipe in any case.
"""

from __future__ import annotations

import shutil
import sys

from tests.system.processes import kill_sessions


def main() -> None:
    """Keep what the only argument and standard input name."""
    sessions = [int(line) for line in sys.stdin]
    try:
        kill_sessions(sessions)
    finally:
        shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    main()
