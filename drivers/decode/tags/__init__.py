"""Decoding of NFC and RFID tags and their presence in a reader's field. Pure."""
