from tests.unit.hooks.fixtures import call, connect, connected, server, sleeps

__all__ = ["call", "connect", "connected", "server", "sleeps"]
