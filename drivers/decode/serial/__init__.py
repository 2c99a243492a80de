"""Decoding of serial scanners and serial RFID readers. Pure."""
