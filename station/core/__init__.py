"""The pure core: what an event is and what it means. No IO, no clock, no randomness; station and hub both stand on it."""
