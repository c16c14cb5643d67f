from tests.unit.conftest import clip, clock, first_poll_at_once, sandbox

__all__ = ["clip", "clock", "first_poll_at_once", "sandbox"]
