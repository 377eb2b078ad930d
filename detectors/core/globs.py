"""Patterns in which `*` stands for any number of characters, "/" among them; case matters, nothing else is special."""

from __future__ import annotations


class Glob:
    """One compiled pattern; a match takes time linear in the text for each part between stars."""

    __slots__ = ("_any", "_head", "_middle", "_tail", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._any = "*" in pattern
        head, *rest = pattern.split("*")
        self._head = head
        self._tail = rest[-1] if rest else ""
        self._middle = tuple(part for part in rest[:-1] if part)

    def matches(self, text: str) -> bool:
        """The whole text fits the pattern."""
        if not self._any:
            return text == self.pattern
        end = len(text) - len(self._tail)
        if end < len(self._head) or not (text.startswith(self._head) and text.endswith(self._tail)):
            return False
        at = len(self._head)
        for part in self._middle:
            at = text.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return True
