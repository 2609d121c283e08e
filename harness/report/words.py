"""Numbers and texts as people read them."""

from __future__ import annotations

_MINUTE = 60
_HOUR = 3600
_MIB_OF_GIB = 1024
_TENTH_OF_MS_BELOW = 0.01
_MICROSECONDS_BELOW = 0.0009995
_MILLISECONDS_BELOW = 0.9995
_TENTH_OF_US_BELOW = 0.00001


def seconds(value: float) -> str:
    """Return a time in seconds in the unit that suits it: ``65 µs``, ``14.2 s``, ``3 min 5 s``."""
    if value < 0:
        return "−" + seconds(-value)
    if 0 < value < _MICROSECONDS_BELOW:
        return f"{value * 1e6:.0f} µs" if value >= _TENTH_OF_US_BELOW else f"{value * 1e6:.1f} µs"
    if value < _TENTH_OF_MS_BELOW:
        return f"{value * 1000:.1f} ms"
    if value < _MILLISECONDS_BELOW:
        return f"{value * 1000:.0f} ms"
    if value < _MINUTE - 0.05:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


def signed_seconds(value: float) -> str:
    """Return a difference of times, in seconds, with its sign: ``+1.2 s``."""
    return seconds(value) if value < 0 else "+" + seconds(value)


def megabytes(value: float) -> str:
    """Return an amount of memory given in MiB: ``812 MB``, ``1.4 GB``."""
    return f"{value:.0f} MB" if value < _MIB_OF_GIB else f"{value / _MIB_OF_GIB:.1f} GB"


def count(number: int, noun: str) -> str:
    """Return ``1 cell``, ``2 cells``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
