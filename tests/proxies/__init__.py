"""
A server that loses answers on purpose: an origin, a forward proxy and a CONNECT tunnel to a TLS service in one.

Inside a test, with an answer made up or a service behind it::

    with LossyProxy(answer=lambda request: reply(200, {"requestId": "a"}), lose=always(Loss.FIN)) as proxy:
        ...
        assert proxy.posts("/v1/video/submit") == 1

As a process, in front of a sandbox (the first line it prints is ``{"port": …, "certificate": …}``)::

    python -m tests.proxies --listen 0 --folder DIR --chance 0.3 --seed 1 --journal DIR/exchanges.jsonl

A connection reaches the sandbox through the forward proxy with ``host=http://127.0.0.1:SANDBOX/v1`` and
``proxy=http://127.0.0.1:PORT``; through the tunnel with ``host=https://127.0.0.1:SANDBOX/v1``, the same ``proxy`` and
``verify=CERTIFICATE``: the TLS service is played by the proxy itself, which asks the sandbox over plain HTTP. So the
whole request is read, and the service has billed it, before its answer is lost.
"""

from __future__ import annotations

from tests.proxies.certificate import self_signed
from tests.proxies.losses import LOST_ANSWERS, Exchange, Lose, Loss, always, by_chance
from tests.proxies.messages import Request, reply
from tests.proxies.server import LossyProxy

__all__ = [
    "LOST_ANSWERS",
    "Exchange",
    "Lose",
    "Loss",
    "LossyProxy",
    "Request",
    "always",
    "by_chance",
    "reply",
    "self_signed",
]
