"""Device classification: what a newly connected device is and whether it is read. Pure."""
