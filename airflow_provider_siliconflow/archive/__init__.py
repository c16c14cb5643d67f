"""Archive videos: download them, check that they are whole, and publish them with a manifest."""
