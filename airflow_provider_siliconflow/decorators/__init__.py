"""Tasks that make the videos that a function asks for."""
