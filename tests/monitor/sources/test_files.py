from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from pathlib import Path

import pytest

from monitor.sources.base import Partition, RawBatch, SourceError
from monitor.sources.files import LINES_MAX, FileSource


def read(*paths: Path | str, bytes_max: int = 4 << 20, stdin: bytes = b"") -> list[list[RawBatch]]:
    names = [str(path) for path in paths]
    with FileSource(names, bytes_max=bytes_max, stdin=io.BufferedReader(io.BytesIO(stdin))) as source:
        return [list(log) for log in source.logs()]


def lines_of(batches: list[RawBatch]) -> list[bytes]:
    return [value for batch in batches for value in batch.values]


def write(path: Path, lines: list[bytes]) -> Path:
    content = b"".join(line + b"\n" for line in lines)
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)
    return path


LINES = [json.dumps({"agent": f"a{i}", "x": "y" * (i % 700)}).encode() for i in range(10_000)]


@pytest.mark.parametrize("name", ["e.jsonl", "e.jsonl.gz"])
def test_lines_come_in_order_and_numbered(tmp_path: Path, name: str) -> None:
    (batches,) = read(write(tmp_path / name, LINES))
    assert lines_of(batches) == LINES
    assert [offset for batch in batches for offset in batch.offsets] == list(range(1, 10_001))
    assert max(len(batch.values) for batch in batches) <= LINES_MAX
    assert {(batch.partition, batch.times, batch.attested) for batch in batches} == {(Partition("0", 0), None, True)}
    assert batches[-1].next_offset == 10_001


def test_short_lines_come_in_bounded_batches(tmp_path: Path) -> None:
    (batches,) = read(write(tmp_path / "e.jsonl", [b"x"] * 10_000))
    assert [len(batch.values) for batch in batches] == [4096, 4096, 1808]


def test_standard_input_plain_and_compressed() -> None:
    assert lines_of(read("-", stdin=b"a\nb\n")[0]) == [b"a", b"b"]
    assert lines_of(read("-", stdin=gzip.compress(b"a\nb\n"))[0]) == [b"a", b"b"]


def test_compression_is_seen_from_the_content(tmp_path: Path) -> None:
    (tmp_path / "plain.gz").write_bytes(b"a\n")
    (tmp_path / "packed.jsonl").write_bytes(gzip.compress(b"b\n"))
    assert [lines_of(log) for log in read(tmp_path / "plain.gz", tmp_path / "packed.jsonl")] == [[b"a"], [b"b"]]


def test_blank_lines_count_and_the_last_needs_no_line_feed(tmp_path: Path) -> None:
    (tmp_path / "e.jsonl").write_bytes(b"a\n\nb")
    (batches,) = read(tmp_path / "e.jsonl")
    assert (lines_of(batches), batches[-1].offsets[-1]) == ([b"a", b"", b"b"], 3)
    (tmp_path / "none.jsonl").write_bytes(b"")
    assert read(tmp_path / "none.jsonl") == [[]]


def test_each_file_is_a_partition_of_its_ordinal(tmp_path: Path) -> None:
    logs = read(write(tmp_path / "b.jsonl", [b"b"]), write(tmp_path / "a.jsonl", [b"a"]))
    assert [log[0].partition for log in logs] == [Partition("0", 0), Partition("1", 0)]


@pytest.mark.parametrize("place", ["start", "middle", "end"])
def test_of_a_line_over_the_bound_only_its_start_is_kept(tmp_path: Path, place: str) -> None:
    path = tmp_path / "e.jsonl"
    long = b"x" * 30_000_000
    content = {"start": long + b"\nb\n", "middle": b"a\n" + long + b"\nb\n", "end": b"a\n" + long}[place]
    path.write_bytes(content)
    del content, long
    tracemalloc.start()
    (batches,) = read(path, bytes_max=100_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    cut = b"x" * 100_001
    expected = {"start": [cut, b"b"], "middle": [b"a", cut, b"b"], "end": [b"a", cut]}[place]
    assert lines_of(batches) == expected
    assert peak < 8_000_000


def test_a_missing_file_is_said_before_any_is_read(tmp_path: Path) -> None:
    good = write(tmp_path / "e.jsonl", [b"a"])
    with pytest.raises(SourceError, match=r"missing\.jsonl cannot be read: No such file") as caught:
        FileSource([str(good), str(tmp_path / "missing.jsonl")])
    assert caught.value.cure
    with pytest.raises(SourceError, match="Is a directory"):
        FileSource([str(tmp_path)])
    with pytest.raises(SourceError, match="named twice"):
        FileSource(["-", "-"])


def test_a_cut_gzip_gives_what_it_has_and_then_says_so(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl.gz"
    packed = gzip.compress(b"".join(line + b"\n" for line in LINES * 3), 1)
    path.write_bytes(packed[: len(packed) * 9 // 10])
    with FileSource([str(path)]) as source:
        (log,) = source.logs()
        got: list[bytes] = []
        with pytest.raises(SourceError, match=r"e\.jsonl\.gz ends in the middle") as caught:
            got.extend(value for batch in log for value in batch.values)
    assert caught.value.cure
    assert len(got) > 5_000
    assert got == (LINES * 3)[: len(got)]


def test_a_damaged_gzip_is_said(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl.gz"
    packed = bytearray(gzip.compress(b"".join(line + b"\n" for line in LINES)))
    packed[len(packed) // 2 : len(packed) // 2 + 64] = bytes(64)
    path.write_bytes(packed)
    with pytest.raises(SourceError, match="is damaged"):
        read(path)
