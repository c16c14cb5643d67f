from tests.unit.hooks.fixtures import call, connect, connected, naps, wire

__all__ = ["call", "connect", "connected", "naps", "wire"]
