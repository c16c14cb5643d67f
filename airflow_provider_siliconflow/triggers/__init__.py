"""Wait for videos in the triggerer."""
