"""The version of this software, as it stands in every event that the hub writes.

>>> bool(VERSION)
True
"""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("wipline")
except PackageNotFoundError:  # run from a checkout that nobody installed
    VERSION = "0"
