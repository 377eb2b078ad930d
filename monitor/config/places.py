"""The places where settings are said: a YAML file, the environment, and `--set` on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from monitor.config.problems import Problem, SettingsError
from monitor.config.tree import Key, Layer, dotted

PREFIX = "DRIFTD__"


def from_file(path: Path) -> Layer:
    """The settings of a YAML file, with the line of every key. Raises SettingsError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise SettingsError([Problem(str(path), "", f"{problem.strerror}", "check --config")]) from None
    except UnicodeDecodeError:
        raise SettingsError([Problem(str(path), "", "not UTF-8", "save the file as UTF-8")]) from None
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        layer = Layer()
        if node is not None:
            if not isinstance(node, yaml.MappingNode):
                raise SettingsError([Problem(f"{path}:1", "", "not a mapping", "write `key: value` lines")])
            layer.values = _Walk(loader, path, layer.places).value(node, ())
    except yaml.MarkedYAMLError as problem:
        raise SettingsError([_syntax(path, problem)]) from None
    finally:
        loader.dispose()
    return layer


def from_environment(environment: Mapping[str, str]) -> Layer:
    """`DRIFTD__REFERENCE__DAYS=21`: keys in capitals, parts joined by two underscores, values as YAML."""
    layer = Layer()
    for name in sorted(environment):
        if name.startswith(PREFIX):
            key = name.removeprefix(PREFIX).lower().split("__")
            if not all(key):
                raise SettingsError([Problem(name, "", "names no key", f"write {PREFIX}REFERENCE__DAYS=14")])
            layer.put(key, _typed(environment[name], name), name)
    return layer


def from_overrides(overrides: Iterable[str]) -> Layer:
    """`--set reference.days=21`: dotted keys, values as YAML."""
    layer = Layer()
    for override in overrides:
        name, equals, text = override.partition("=")
        key = name.strip().split(".")
        if not equals or not all(key):
            raise SettingsError([Problem(f"--set {override}", "", "not KEY=VALUE", "write --set reference.days=14")])
        layer.put(key, _typed(text, f"--set {name}"), f"--set {name.strip()}")
    return layer


def _typed(text: str, place: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise SettingsError([Problem(place, "", f"{text!r} is not YAML", "put quotes around the text")]) from None


def _syntax(path: Path, problem: yaml.MarkedYAMLError) -> Problem:
    mark = problem.problem_mark
    line = f":{mark.line + 1}" if mark else ""
    return Problem(f"{path}{line}", "", f"not YAML: {problem.problem}", "check indents, colons and quotes")


class _Walk:
    """Turns YAML nodes into values, noting the line of every key; a key said twice is refused."""

    def __init__(self, loader: yaml.SafeLoader, path: Path, places: dict[Key, str]) -> None:
        self.loader, self.path, self.places = loader, path, places

    def value(self, node: yaml.Node, key: Key) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            return [self._noted(item, (*key, i), item) for i, item in enumerate(node.value)]
        return self.loader.construct_object(node)

    def _mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        said = {self.loader.construct_object(name) for name, _ in node.value if name.tag != _MERGE}
        if len(said) < sum(name.tag != _MERGE for name, _ in node.value):
            self._refuse(node, key)
        self.loader.flatten_mapping(node)
        found: dict[str, Any] = {}
        for name, below in node.value:
            part = str(self.loader.construct_object(name))
            found[part] = self._noted(below, (*key, part), name)
        return found

    def _noted(self, node: yaml.Node, key: Key, at: yaml.Node) -> Any:
        self.places[key] = f"{self.path}:{at.start_mark.line + 1}"
        return self.value(node, key)

    def _refuse(self, node: yaml.MappingNode, key: Key) -> None:
        seen: set[Any] = set()
        for name, _ in node.value:
            part = self.loader.construct_object(name)
            if part in seen:
                place = f"{self.path}:{name.start_mark.line + 1}"
                raise SettingsError([Problem(place, dotted((*key, part)), "said twice", "keep one")])
            seen.add(part)


_MERGE = "tag:yaml.org,2002:merge"
