"""Keyed 64-bit digests: the persistent identity of a name, not guessable without the key."""

from __future__ import annotations

import hashlib

import numpy as np

from detectors.core.columns import Array

#: names remembered before a memo is cleared; it is a cache, so clearing costs time only
MEMO_MAX = 1 << 18
#: the key of `driftd replay`, whose output must be the same everywhere
PUBLIC_KEY = b"driftd replay, public"

_ODD = np.uint64(0x9E3779B97F4A7C15)
_A, _B, _S = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53), np.uint64(33)


class Digests(dict[str, int]):
    """A memo of digests of one kind of name; `digests[name]` is never 0."""

    def __init__(self, key: bytes, kind: str, memo_max: int = MEMO_MAX) -> None:
        super().__init__()
        self._memo_max = memo_max
        self._keyed = hashlib.blake2b(digest_size=8, key=key[:64], person=kind.encode()[:16])

    def __missing__(self, name: str) -> int:
        if len(self) >= self._memo_max:
            self.clear()
        value = self[name] = self.of(name.encode())
        return value

    def of(self, content: bytes) -> int:
        """The digest of these bytes, not memoised."""
        digest = self._keyed.copy()
        digest.update(content)
        return int.from_bytes(digest.digest(), "little") | 1

    def of_all(self, contents: list[bytes]) -> Array:
        """`of` for many."""
        copy, digests = self._keyed.copy, []
        for content in contents:
            digest = copy()
            digest.update(content)
            digests.append(digest.digest())
        return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64) | np.uint64(1)

    def all_of(self, names: list[str | None]) -> Array:
        """The digests of these names; 0 for what names nothing."""
        if not all(names):
            return np.fromiter((self[name] if name else 0 for name in names), np.uint64, len(names))
        return np.fromiter(map(self.__getitem__, names), np.uint64, len(names))  # type: ignore[arg-type]


def mix(identity: Array, thing: Array) -> Array:
    """One key for each (agent, thing): a 64-bit finaliser over both; never 0."""
    x = identity ^ thing * _ODD
    x = x ^ (x >> _S)
    x = x * _A
    x = x ^ (x >> _S)
    x = x * _B
    return (x ^ (x >> _S)) | np.uint64(1)


def mix_one(identity: int, thing: int) -> int:
    """`mix` for one pair of Python integers."""
    mask = 0xFFFFFFFFFFFFFFFF
    x = identity ^ (thing * 0x9E3779B97F4A7C15 & mask)
    x ^= x >> 33
    x = x * 0xFF51AFD7ED558CCD & mask
    x ^= x >> 33
    x = x * 0xC4CEB9FE1A85EC53 & mask
    return (x ^ (x >> 33)) | 1
