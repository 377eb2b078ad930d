"""Stories: what agents did over some weeks, and what driftd has to say about it. Each module with a `STORY` is one."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from monitor.demo.stories.story import Expects, Line, Story

__all__ = ["Expects", "Line", "Story", "all", "named"]


def all() -> list[Story]:  # noqa: A001 - `stories.all()` reads as what it is
    """Every story, by name."""
    modules = (import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__) if m.name != "__main__")
    return sorted((m.STORY for m in modules if hasattr(m, "STORY")), key=lambda story: story.name)


def named(name: str) -> Story:
    """The story of this name. Raises LookupError."""
    for story in all():
        if story.name == name:
            return story
    raise LookupError(f"no story is called {name}: {', '.join(story.name for story in all())}")
