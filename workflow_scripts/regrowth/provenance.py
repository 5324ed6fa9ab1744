"""Digests of what a result depends on: code without comments, rows, model files."""

import ast
import fcntl
import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

LIBRARY = Path(__file__).resolve().parent
#: Where digests of files are remembered, below the working directory.
DIGESTS = Path("results/digests.json")
#: Modules whose whole effect on a result already stands in a rule's params, rows and paths.
PLUMBING = (
    *("catalogue", "checks", "config", "devices", "hub", "job"),
    *("prompt_tables", "prompts", "provenance", "schema", "young"),
)


#: Which packages' versions decide what a script computes. They are its result's, whatever was built
#: for a CPU or a GPU; a patch release counts, since nobody can tell what it changes.
TORCH, DRAWING = ("numpy", "torch"), ("numpy", "torch", "diffusers", "transformers")
JUDGING = ("numpy", "torch", "transformers", "pillow", "nudenet", "onnxruntime")
PACKAGES = {
    "calibrate": DRAWING,
    "generate": (*DRAWING, "pillow"),
    "score": JUDGING,
    "reference": JUDGING,
    "complete": TORCH,
    "defend_by_completion": TORCH,
    "defend": ("numpy",),
    "revive": ("numpy",),
    "oracle": ("numpy",),
}


def versions(script: str) -> dict[str, str]:
    """Those of PACKAGES for a script, without what says for which device a build is."""
    return {name: version(name).partition("+")[0] for name in PACKAGES[script]}


def digest(*values) -> str:
    """Sixteen hex digits of any JSON values."""
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@lru_cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@lru_cache
def _bare(file: Path) -> str:
    """The syntax tree of a file as text, without docstrings (a comment is not in it anyway)."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                if isinstance(first.value.value, str):
                    node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree)


@lru_cache
def _imports(file: Path) -> set[Path]:
    """The library's own modules that a file imports."""
    names = []
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            names += [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
    found = set()
    for name in names:
        if name.startswith("regrowth."):
            module = LIBRARY.joinpath(*name.split(".")[1:]).with_suffix(".py")
            if module.is_file() and module.stem not in PLUMBING:
                found.add(module)
    return found


@lru_cache
def code_digest(script: Path, without: frozenset[str] = frozenset()) -> str:
    """Digest of a script and the library modules it reaches; comments and PLUMBING do not count.

    without: names of further modules that do not.
    """
    seen, todo = set(), {script}
    while todo:
        file = todo.pop()
        seen.add(file)
        todo |= {f for f in _imports(file) if f.stem not in without} - seen
    return digest(sorted((file.name, _bare(file)) for file in seen))


def file_digest(file: Path, cache: Path) -> str:
    """sha256 of a file, remembered in `cache` for as long as its size and time stay the same."""
    name, stat = str(file.resolve()), file.stat()
    stamp = f"{stat.st_size}:{stat.st_mtime_ns}"
    match _remembered(cache).get(name):
        case [str(seen), str(value)] if seen == stamp:
            return value
    with open(file, "rb") as stream:
        value = hashlib.file_digest(stream, "sha256").hexdigest()
    with suppress(OSError):  # somebody else's results may be read
        _remember(cache, {name: [stamp, value]})
    return value


def _remembered(cache: Path) -> dict:
    """What `cache` holds; nothing if it is damaged, since all of it can be had again."""
    try:
        held = json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return held if isinstance(held, dict) else {}


def _remember(cache: Path, more: dict) -> None:
    """Write more into `cache`, one process after the other."""
    from regrowth.store import write_text

    cache.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(cache.parent, os.O_RDONLY)
    try:
        with suppress(OSError):  # where there are no locks, what two write at once is had again
            fcntl.flock(folder, fcntl.LOCK_EX)
        write_text(cache, json.dumps(_remembered(cache) | more, indent=1))
    finally:
        os.close(folder)


def folder_digest(folder: Path, files: Iterable[Path], cache: Path) -> str:
    """Digest of files in a directory: those that are loaded, whatever else lies beside them."""
    return digest([[str(f.relative_to(folder)), file_digest(f, cache)] for f in files])
