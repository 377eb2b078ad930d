"""Named arrays of equal length, laid out from a NumPy dtype: the only memory that is kept for each agent."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]


class Columns:
    """A table with one array for each field of a dtype; fields are read as attributes."""

    def __init__(self, layout: np.dtype[Any], rows: int) -> None:
        self.layout = layout
        self.names: tuple[str, ...] = layout.names or ()
        for name in self.names:
            field = layout[name]
            setattr(self, name, np.zeros((rows, *field.shape), field.base))
        self.rows = rows

    def __getattr__(self, name: str) -> Array:  # for type checkers: fields are set in __init__
        raise AttributeError(name)

    def grow(self, rows: int) -> None:
        """Make room for this many rows; new ones are zero."""
        for name in self.names:
            old: Array = getattr(self, name)
            new = np.zeros((rows, *old.shape[1:]), old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)
        self.rows = rows

    def clear(self, row: int) -> None:
        """Set one row to zero."""
        for name in self.names:
            getattr(self, name)[row] = 0

    def dump(self, rows: Rows) -> dict[str, bytes]:
        """The bytes of these rows, field by field."""
        return {name: getattr(self, name)[rows].tobytes() for name in self.names}

    def load(self, parts: dict[str, bytes], rows: Rows) -> None:
        """Put back what `dump` gave; fields that the dump lacks stay zero."""
        for name in self.names:
            column: Array = getattr(self, name)
            if name in parts:
                column[rows] = np.frombuffer(parts[name], column.dtype).reshape(len(rows), *column.shape[1:])

    @property
    def bytes_per_row(self) -> int:
        """Bytes that one agent costs here."""
        return self.layout.itemsize


def by_row(rows: Rows) -> Rows:
    """The order that puts entries of one row together, each row's as they come."""
    few = len(rows) > 0 and int(rows.max()) < 1 << 16
    return np.argsort(rows.astype(np.uint16) if few else rows, kind="stable")  # 16 bits are sorted by counting
