"""Decide when to look at a video, and what a look means."""
