"""Commands of `wipline-hub`."""
