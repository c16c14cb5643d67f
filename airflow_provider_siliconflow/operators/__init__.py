"""Submit and archive videos."""
