"""Decide when to poll a video, and what a poll means."""
