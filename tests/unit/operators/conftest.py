from tests.unit.hooks.fixtures import call, connect, connected, sleeps, wire

__all__ = ["call", "connect", "connected", "sleeps", "wire"]
