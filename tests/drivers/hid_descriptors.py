"""Report descriptors of HID POS scanners of several makers, written out.

By hand, from the HID specification (1.11, section 6.2.2) and the POS usage tables (1.02); the layouts are those of manuals
and public libraries.
"""


def written(text: str) -> bytes:
    """The bytes of an annotated descriptor: hex in front, words behind the #."""
    return bytes.fromhex("".join(line.partition("#")[0] for line in text.splitlines()))


HONEYWELL = written("""
05 8C           # Usage Page (Bar Code Scanner)
09 02           # Usage (Bar Code Scanner)
A1 01           # Collection (Application)
  09 12         #   Usage (Scanned Data Report)
  A1 02         #   Collection (Logical)
    85 02       #     Report ID (2)
    15 00       #     Logical Minimum (0)
    26 FF 00    #     Logical Maximum (255)
    75 08       #     Report Size (8)
    95 01       #     Report Count (1)
    05 01       #     Usage Page (Generic Desktop)
    09 3B       #     Usage (Byte Count)
    81 02       #     Input (Data, Variable, Absolute)
    05 8C       #     Usage Page (Bar Code Scanner)
    95 03       #     Report Count (3)
    09 FB       #     Usage (Symbology Identifier 1)
    09 FC       #     Usage (Symbology Identifier 2)
    09 FD       #     Usage (Symbology Identifier 3)
    81 02       #     Input (Data, Variable, Absolute)
    95 38       #     Report Count (56)
    09 FE       #     Usage (Decoded Data)
    82 02 01    #     Input (Data, Variable, Absolute, Buffered Bytes)
    06 00 FF    #     Usage Page (Vendor)
    95 02       #     Report Count (2)
    09 01       #     Usage (1: the maker's own letter for the symbology, and a reserved byte)
    81 02       #     Input (Data, Variable, Absolute)
    05 8C       #     Usage Page (Bar Code Scanner)
    25 01       #     Logical Maximum (1)
    75 01       #     Report Size (1)
    95 01       #     Report Count (1)
    09 FF       #     Usage (Decode Data Continued)
    81 02       #     Input (Data, Variable, Absolute)
    95 07       #     Report Count (7)
    81 03       #     Input (Constant)
  C0            #   End Collection
  09 14         #   Usage (Trigger Report)
  A1 02         #   Collection (Logical)
    85 04       #     Report ID (4)
    95 05       #     Report Count (5)
    09 5F       #     Usage (Prevent Read of Barcodes)
    09 60       #     Usage (Initiate Barcode Read)
    19 85       #     Usage Minimum (Sound Error Beep)
    29 87       #     Usage Maximum (Sound Not On File Beep), Good Read between
    91 06       #     Output (Data, Variable, Relative)
    95 03       #     Report Count (3)
    91 03       #     Output (Constant)
  C0            #   End Collection
  06 00 FF      #   Usage Page (Vendor)
  85 FE         #   Report ID (254)
  26 FF 00      #   Logical Maximum (255)
  75 08         #   Report Size (8)
  95 01         #   Report Count (1)
  09 02         #   Usage (2)
  B1 02         #   Feature (Data, Variable, Absolute)
C0              # End Collection
""")
"""64 bytes a report, as the manual of the Access-IS LSR118 prints them on page 68."""

EXTRA_BYTE = written("""
05 8C           # Usage Page (Bar Code Scanner)
09 02           # Usage (Bar Code Scanner)
A1 01           # Collection (Application)
  85 02         #   Report ID (2)
  14            #   Logical Minimum (0, in no byte)
  26 FF 00      #   Logical Maximum (255)
  75 08         #   Report Size (8)
  95 01         #   Report Count (1)
  0B 3B 00 01 00  # Usage (Generic Desktop: Byte Count, with its page)
  81 02         #   Input (Data, Variable, Absolute)
  81 01         #   Input (Constant): the extra byte
  95 03         #   Report Count (3)
  19 FB         #   Usage Minimum (Symbology Identifier 1)
  29 FD         #   Usage Maximum (Symbology Identifier 3)
  81 02         #   Input (Data, Variable, Absolute)
  95 39         #   Report Count (57)
  09 FE         #   Usage (Decoded Data)
  82 02 01      #   Input (Data, Variable, Absolute, Buffered Bytes)
  95 01         #   Report Count (1)
  09 FF         #   Usage (Decode Data Continued): a whole byte of it
  81 02         #   Input (Data, Variable, Absolute)
  85 05         #   Report ID (5)
  09 14         #   Usage (Trigger Report)
  A1 02         #   Collection (Logical)
    15 01       #     Logical Minimum (1)
    25 02       #     Logical Maximum (2)
    95 01       #     Report Count (1)
    09 86       #     Usage (Sound Good Read Beep)
    09 85       #     Usage (Sound Error Beep)
    B1 00       #     Feature (Data, Array, Absolute): 1 good, 2 error
  C0            #   End Collection
C0              # End Collection
""")
"""One byte before the AIM identifier; beeps by number in a feature report."""

COUNTLESS = written("""
06 8C 00        # Usage Page (Bar Code Scanner, in two bytes)
09 02           # Usage (Bar Code Scanner)
A1 01           # Collection (Application)
  85 02         #   Report ID (2)
  15 00         #   Logical Minimum (0)
  26 FF 00      #   Logical Maximum (255)
  75 08         #   Report Size (8)
  95 01         #   Report Count (1)
  09 FB         #   Usage (Symbology Identifier 1)
  81 02         #   Input (Data, Variable, Absolute)
  09 FC         #   Usage (Symbology Identifier 2)
  81 02         #   Input (Data, Variable, Absolute)
  09 FD         #   Usage (Symbology Identifier 3)
  81 02         #   Input (Data, Variable, Absolute)
  95 3B         #   Report Count (59)
  09 FE         #   Usage (Decoded Data)
  82 02 01      #   Input (Data, Variable, Absolute, Buffered Bytes)
  75 01         #   Report Size (1)
  95 08         #   Report Count (8)
  09 FF         #   Usage (Decode Data Continued): for each of the eight bits
  81 02         #   Input (Data, Variable, Absolute)
C0              # End Collection
""")
"""No byte count: the rest of the field is zeros."""

SMALL = written("""
05 8C           # Usage Page (Bar Code Scanner)
09 02           # Usage (Bar Code Scanner)
A1 01           # Collection (Application)
  09 12         #   Usage (Scanned Data Report)
  A1 02         #   Collection (Logical)
    15 00       #     Logical Minimum (0)
    25 01       #     Logical Maximum (1)
    75 01       #     Report Size (1)
    95 01       #     Report Count (1)
    09 FF       #     Usage (Decode Data Continued)
    81 02       #     Input (Data, Variable, Absolute)
    75 07       #     Report Size (7)
    81 03       #     Input (Constant)
    26 FF 00    #     Logical Maximum (255)
    75 08       #     Report Size (8)
    A4          #     Push
    05 01       #     Usage Page (Generic Desktop)
    09 3B       #     Usage (Byte Count)
    81 02       #     Input (Data, Variable, Absolute)
    B4          #     Pop: page 8C again
    95 03       #     Report Count (3)
    19 FB       #     Usage Minimum (Symbology Identifier 1)
    29 FD       #     Usage Maximum (Symbology Identifier 3)
    81 02       #     Input (Data, Variable, Absolute)
    95 0B       #     Report Count (11)
    09 FE       #     Usage (Decoded Data)
    82 02 01    #     Input (Data, Variable, Absolute, Buffered Bytes)
    75 08       #     Report Size (8)
    95 01       #     Report Count (1)
    09 86       #     Usage (Sound Good Read Beep)
    91 02       #     Output (Data, Variable, Absolute)
  C0            #   End Collection
C0              # End Collection
""")
"""16 bytes a report without an id, so that most scans go on over several; the flag stands in front."""

KEYBOARD = written("""
05 01  09 06  A1 01                    # Usage Page (Generic Desktop), Usage (Keyboard), Collection (Application)
05 07  19 E0  29 E7  15 00  25 01      #   Usage Page (Keys), Usages E0 to E7, Logical 0 to 1
75 01  95 08  81 02                    #   eight bits, Input (Data, Variable, Absolute): the modifiers
95 01  75 08  81 03                    #   one byte, Input (Constant)
95 06  75 08  15 00  25 65             #   six bytes, Logical 0 to 101
19 00  29 65  81 00                    #   Usages 00 to 65, Input (Data, Array): the keys
C0                                     # End Collection
""")

HOSTILE = written("""
05 8C           # Usage Page (Bar Code Scanner)
09 02           # Usage (Bar Code Scanner)
A1 01           # Collection (Application)
  FE 03 F0 01 02 03  # a long item of three bytes
  0F 01 02 03 04     # an item of the reserved kind
  F0                 # a main item that nobody has defined
  1B 00 00 8C 00     # Usage Minimum (page 8C: 0)
  2B FF FF 8C 00     # Usage Maximum (page 8C: FFFF): 65536 usages for two values
  85 02         #   Report ID (2)
  75 08         #   Report Size (8)
  95 02         #   Report Count (2)
  81 02         #   Input (Data, Variable, Absolute)
  95 04         #   Report Count (4)
  09 FE         #   Usage (Decoded Data)
  81 02         #   Input (Data, Variable, Absolute)
  77 00 00 02 00  # Report Size (131072), in the page of no byte count
  95 00         #   Report Count (0)
  0B 3B 00 01 00  # Usage (Byte Count)
  81 02         #   Input: of no bits at all
  76 00 08      #   Report Size (2048)
  95 01         #   Report Count (1)
  0B 3B 00 01 00  # Usage (Byte Count): a number of 2048 bits
  81 02         #   Input (Data, Variable, Absolute)
C0              # End Collection
""")
"""All of it allowed, none of it decent."""
