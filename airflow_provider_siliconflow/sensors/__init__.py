"""Wait for videos."""
