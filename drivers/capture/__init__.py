"""Capture and playback of the raw data of a reader."""
