"""The pure half of every driver: what a device says, read as the scan it means. No IO, no clock, no vendor library."""
