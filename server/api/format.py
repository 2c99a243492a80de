"""Formats of the API: times as ISO 8601, quantities as decimal text."""

from datetime import UTC, datetime

from station.core.quantity import decimal_text


def iso(at_us: int | None) -> str | None:
    """UTC us as ISO 8601 to the microsecond.

    >>> iso(1_790_000_000_000_001)
    '2026-09-21T14:13:20.000001Z'
    """
    return None if at_us is None else time(at_us)


def time(at_us: int) -> str:
    """A time as `iso` writes it; a time outside the calendar becomes the nearest end of the calendar."""
    seconds, micros = divmod(at_us, 1_000_000)
    try:
        whole = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        whole, micros = datetime(1 if at_us < 0 else 9999, 12, 31, tzinfo=UTC), 0
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{micros:06}Z"


def decimal(milli: int | None) -> str | None:
    """Thousandths as a decimal text; None for an unknown quantity."""
    return None if milli is None else decimal_text(milli)
