"""Detection of the setup sheet, and inference of a scanner's layout and settings from it. Pure."""
