"""Bring a video's bytes to where they last."""
