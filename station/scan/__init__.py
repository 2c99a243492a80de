"""Scan processing: from a queued read to a committed event and its answer."""
