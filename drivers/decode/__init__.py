"""Decoders: the pure half of each driver, from the data of a device to scans. No IO, no clock, no vendor library.

`keyboard/`, `serial/`, `hid/` and `tags/` decode the data of each kind of reader. `setup_sheet/` learns the profile of an
unknown scanner. `detect/` decides how a connected device is used. `scan` has the scan itself, `scan_text` its notation, and
`capture_file` with `capture_schema` the file format of a capture.
"""
