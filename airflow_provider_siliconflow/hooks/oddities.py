"""One log line for each kind of undocumented response that was understood all the same."""

from __future__ import annotations

import logging
from typing import Any

log = logging.getLogger(__name__)

#: What was logged already, in this process. Bounded, for a word in it comes from the service.
_logged: set[str] = set()
_MAX_LOGGED = 256


def log_oddity(result: Any) -> None:
    """
    Log once what a response had that the service's documentation does not tell.

    :param result: What the response was read as.
    """
    oddity = getattr(result, "oddity", "")
    if oddity and oddity not in _logged:
        if len(_logged) >= _MAX_LOGGED:
            _logged.clear()
        _logged.add(oddity)
        log.warning("Undocumented response for video %s: %s.", result.request_id, oddity)
