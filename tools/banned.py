"""What the pure core may not do, found by reading its syntax: `python tools/banned.py [DIRECTORY ...]`.

The core gives the same bits on every machine and the same findings on every replay. So it may not use arithmetic that
differs between CPUs or array lengths, nor see a clock, a random number, a file or the order of a hash table.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

#: of numpy: results that depend on the CPU's features, on the length of the array, or on chance
NUMPY = {
    **dict.fromkeys(
        ("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "power", "float_power", "cbrt", "tanh"),
        "differs between CPUs: use detectors.core.exact",
    ),
    **dict.fromkeys(
        ("dot", "matmul", "einsum", "inner", "outer", "tensordot", "vdot", "linalg", "convolve"),
        "BLAS sums in an order of its own: write the sum out",
    ),
    "random": "the core knows no chance",
}
#: of the standard library, by (module, name)
CALLS = {
    **{("math", name): "differs between C libraries: use detectors.core.exact" for name in (
        "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "pow", "gamma", "lgamma", "tanh", "erf", "erfc",
    )},
    ("datetime", "now"): "the core reads no clock",
    ("datetime", "today"): "the core reads no clock",
    ("datetime", "utcnow"): "the core reads no clock",
    ("date", "today"): "the core reads no clock",
}
BUILTINS = {
    "open": "the core reads no file",
    "input": "the core reads no file",
    "print": "the core writes nothing",
    "hash": "hash() of a string changes with every process: use detectors.core.digests",
    "id": "addresses change with every process",
    "eval": "no code is made at run time",
    "exec": "no code is made at run time",
    "__import__": "no code is loaded at run time",
}
#: everything that detectors may import; what reads a clock, a file, the environment or the network is not among it
IMPORTS = frozenset({
    "__future__", "abc", "array", "bisect", "calendar", "collections", "contextlib", "copy", "dataclasses", "datetime",
    "detectors", "enum", "fnmatch", "fractions", "functools", "hashlib", "heapq", "importlib", "itertools", "math",
    "msgspec", "numpy", "operator", "pkgutil", "re", "statistics", "string", "struct", "types", "typing", "zoneinfo",
    "hmac", "json", "sys", "textwrap", "zlib",
})
#: a library that one place alone may use, and the places: the path below the core's directory begins so
ONLY = {
    "dateutil": ("core/calendar", "core/conformance"),
    "importlib": ("__init__", "core/"),
    "pkgutil": ("__init__", "core/"),
    "river": ("peer_outlier",),
    "sys": ("core/",),
}  # fmt: skip


class Fault(NamedTuple):
    """A place, and what is wrong there."""

    path: Path
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


def main(arguments: list[str]) -> int:
    """Print every fault in these directories; 1 when there is one."""
    faults = [fault for directory in arguments or ["detectors"] for fault in in_directory(Path(directory))]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


def in_directory(directory: Path) -> Iterator[Fault]:
    """All faults of the Python files below a directory."""
    for path in sorted(directory.rglob("*.py")):
        place = path.relative_to(directory).as_posix()
        for line, what in in_source(path.read_text(encoding="utf-8"), place):
            yield Fault(path, line, what)


def in_source(source: str, place: str = "") -> Iterator[tuple[int, str]]:
    """(line, fault) of one file; `place` is its path below the core's directory."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((node.lineno, what) for what in _imports(node, place) if what)
        elif isinstance(node, ast.expr | ast.AugAssign):
            yield from ((node.lineno, what) for what in _expression(node) if what)


def _imports(node: ast.Import | ast.ImportFrom, place: str) -> Iterator[str | None]:
    if isinstance(node, ast.Import):
        yield from (_import(alias.name, place) for alias in node.names)
    elif node.module and not node.level:
        yield _import(node.module, place)
        yield from (_name(node.module.rpartition(".")[2], alias.name) for alias in node.names)


def _expression(node: ast.expr | ast.AugAssign) -> Iterator[str | None]:
    match node:
        case ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner)):
            yield _name(owner, node.attr)
        case ast.Call(func=ast.Name(id=name)) if name in BUILTINS:
            yield f"{name}(): {BUILTINS[name]}"
        case ast.BinOp() | ast.AugAssign():
            yield _operator(node)


def _import(module: str, place: str) -> str | None:
    root = module.partition(".")[0]
    if root in ONLY:
        return None if place.startswith(ONLY[root]) else f"import {module}: only in {', '.join(ONLY[root])}"
    return None if root in IMPORTS else f"import {module}: the core imports only what tools/banned.py lists"


def _name(owner: str, name: str) -> str | None:
    if owner in {"np", "numpy"}:
        what = NUMPY.get(name)
    else:
        what = CALLS.get((owner, name)) or (NUMPY["dot"] if name == "dot" else None)
    return f"{owner}.{name}: {what}" if what else None


def _operator(node: ast.BinOp | ast.AugAssign) -> str | None:
    base, exponent = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.target, node.value)
    if isinstance(node.op, ast.MatMult):
        return f"@: {NUMPY['matmul']}"
    if not isinstance(node.op, ast.Pow) or (isinstance(base, ast.Constant) and isinstance(exponent, ast.Constant)):
        return None
    if isinstance(exponent, ast.Constant) and exponent.value == 2:
        return None
    return "**: only ** 2 is the same on every CPU; use detectors.core.exact or write the product out"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
