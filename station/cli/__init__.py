"""Commands of `wipline-station`."""
