from tests.unit.conftest import clip, clock, first_look_at_once, still

__all__ = ["clip", "clock", "first_look_at_once", "still"]
