"""What one paid video is: its record, its submit, and lists of such."""
