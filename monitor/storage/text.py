"""Text from outside on its way into a column."""

from __future__ import annotations


def storable(text: str, length_max: int = 256) -> str:
    """Text that every database takes: no U+0000, no lone surrogate, bounded. What a bad record says of itself is bad."""
    return text[:length_max].encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
