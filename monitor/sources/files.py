"""Event files for replay: `.jsonl`, gzip of it, or `-` for standard input, read once from start to end."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import BinaryIO, ClassVar, Literal, Self, cast

from pydantic import Field

from monitor.section import Section
from monitor.sources.base import Partition, RawBatch, SourceError

LINES_MAX = 4096
_BLOCK_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"


class FileSettings(Section):
    """What `replay` takes for granted about the files that it reads."""

    type: Literal["file"] = "file"
    attested: bool = Field(True, description="the events are who they say they are; unattested ones never contain")
    bytes_max: int = Field(4 << 20, ge=1 << 16, description="bound of one line")


class FileSource:
    """Files in the order of the arguments; a line is a raw record, its number (from 1) its offset.

    All files are opened at once, so that a missing one is said before anything is read.
    """

    kind: ClassVar[str] = "file"

    def __init__(
        self,
        paths: Sequence[str],
        *,
        attested: bool = True,
        bytes_max: int = 4 << 20,
        stdin: BinaryIO | None = None,
    ) -> None:
        """Raises SourceError when a file cannot be opened. `bytes_max` bounds what of one line is kept in memory."""
        self.paths, self.attested, self.bytes_max = tuple(paths), attested, bytes_max
        self._open = ExitStack()
        if self.paths.count("-") > 1:
            raise SourceError("Standard input is named twice.", "Name '-' once.")
        with ExitStack() as opened:
            self._files = [_opened(path, opened, stdin) for path in self.paths]
            self._open = opened.pop_all()

    def logs(self) -> list[Iterator[RawBatch]]:
        """The raw batches of each file. Iterating raises SourceError where a file cannot be read on."""
        return [self._batches(ordinal) for ordinal in range(len(self.paths))]

    def close(self) -> None:
        """Close the files."""
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _batches(self, ordinal: int) -> Iterator[RawBatch]:
        partition, number = Partition(str(ordinal), 0), 1
        blocks = _blocks(self._files[ordinal], self.paths[ordinal])
        for lines in _lines(blocks, self.bytes_max):
            for start in range(0, len(lines), LINES_MAX):
                values = lines[start : start + LINES_MAX]
                following = number + len(values)
                yield RawBatch(
                    partition,
                    offsets=list(range(number, following)),
                    values=values,
                    next_offset=following,
                    attested=self.attested,
                    trusted_time=False,
                )
                number = following


def _opened(path: str, opened: ExitStack, stdin: BinaryIO | None) -> BinaryIO:
    """The file as plain bytes; that it is gzip is seen from its first bytes, whatever its name."""
    try:
        raw = (stdin or sys.stdin.buffer) if path == "-" else opened.enter_context(open(path, "rb"))  # noqa: PTH123, SIM115
        start = raw.peek(2)[:2] if hasattr(raw, "peek") else b""
    except OSError as error:
        raise SourceError(
            f"{path} cannot be read: {error.strerror}.", "Check the path and that this user may read the file."
        ) from None
    return cast("BinaryIO", opened.enter_context(gzip.GzipFile(fileobj=raw))) if start == _GZIP else raw


def _blocks(file: BinaryIO, path: str) -> Iterator[bytes]:
    try:
        while block := file.read(_BLOCK_BYTES):
            yield block
    except EOFError:
        raise SourceError(f"{path} ends in the middle of its gzip stream.", "Copy or write it again.") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise SourceError(f"{path} is damaged: {error}.", "Copy or write it again; `gzip -t` checks it.") from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read on: {error.strerror}.", "Check the disk or mount it is on.") from None


def _lines(blocks: Iterator[bytes], bytes_max: int) -> Iterator[list[bytes]]:
    """Complete lines without their line feeds; of a line over `bytes_max` only so much that its length still shows."""
    rest = b""
    for block in blocks:
        lines = (rest + block).split(b"\n")
        rest = lines.pop()[: bytes_max + 1]
        if lines:
            lines[0] = lines[0][: bytes_max + 1]
            yield lines
    if rest:
        yield [rest]
