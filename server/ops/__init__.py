"""Operation of a hub: start, backup, restore, schedules and administration commands."""
