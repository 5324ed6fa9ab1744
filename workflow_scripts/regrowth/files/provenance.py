"""What a script's result depends on: packages, and the definitions of the library that it reaches,
wherever they stand, without comments."""

import ast
from contextlib import suppress
from copy import deepcopy
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from regrowth.files.digests import digest, remember, remembered

LIBRARY = Path(__file__).resolve().parents[1]
#: Modules and definitions whose whole effect on a result already stands in a rule's params, rows
#: and paths. Of a `Job` the members count that a script uses.
PLUMBING = {
    *("files/hub", "files/digests", "files/provenance", "models/card", "run/devices", "settings"),
    *("judge/settings", "study/catalogue", "study/config", "study/young"),
    *("run/job.begin", "run/job.start", "run/job.Job", "study/prompts.bundle_rows"),
    *("classify/study", "classify/settings", "run/classroom"),
}


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
    "classify": TORCH,
    "gradcam": (*TORCH, "captum"),
    "membership": ("numpy", "scikit-learn"),
    "defend": ("numpy",),
    "revive": ("numpy",),
    "oracle": ("numpy",),
}
#: Of a method's record, what a user writes and reads of it, which makes no result another.
SAID = (
    "settings",
    "label",
    "told",
    "strength",
    "counted",
    "needs",
    "mistakes",
    "feeds",
    "by",
    "gpu",
    "get",
    "control",
    "shown",
)


version = cache(metadata.version)  # it looks through all that is installed


def versions(script: str) -> dict[str, str]:
    """Those of PACKAGES for a script, without what says for which device a build is."""
    return {name: version(name).partition("+")[0] for name in PACKAGES[script]}


#: Where a syntax tree holds statements; all else of it is expressions.
BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
IMPORTS = ast.Import | ast.ImportFrom
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _strip(node: Any, imports: list[Any]) -> None:
    """Take docstrings and imports out of a tree (a comment is not in it anyway); the imports, to
    `imports`."""
    if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        del node.body[0]
    for block in BLOCKS:
        if isinstance(held := getattr(node, block, None), list):
            imports += [child for child in held if isinstance(child, IMPORTS)]
            held[:] = [child for child in held if not isinstance(child, IMPORTS)]
            for child in held:
                _strip(child, imports)
    if getattr(node, "body", None) == []:
        node.body = [ast.Pass()]


class _Module:
    """A file's top level: what each name is defined by, what runs when it is imported, and what
    names mean that are imported anywhere in it."""

    def __init__(self, file: Path):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        imports: list[ast.Import | ast.ImportFrom] = []
        _strip(tree, imports)
        self.imported: dict[str, set[str]] = {}
        for line in imports:
            of = f"{line.module}." if isinstance(line, ast.ImportFrom) else ""
            for a in line.names:
                alias = a.asname or (a.name if of else a.name.split(".")[0])
                target = of + a.name if of or a.asname else alias
                self.imported.setdefault(alias, set()).add(target)
        self.body = [n for n in tree.body if not isinstance(n, ast.Pass)]
        self.defined: dict[str, list[ast.stmt]] = {}
        self.run: list[ast.stmt] = []
        for node in self.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                self.defined.setdefault(node.name, []).append(node)
                for part in (n for n in node.body if isinstance(n, ast.FunctionDef)):
                    self.defined.setdefault(f"{node.name}.{part.name}", []).append(part)
                continue
            stored = _stored(node)
            for name in stored:
                self.defined.setdefault(name, []).append(node)
            main = isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)
            plain = isinstance(node, ast.Assign | ast.AnnAssign) and stored
            if not plain and not main:
                self.run.append(node)


def _stored(node: ast.AST) -> set[str]:
    """The names that a statement binds in its own scope."""
    found, todo = set(), [node]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            found.add(node.id)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            walrus = (n for n in ast.walk(node) if isinstance(n, ast.NamedExpr))
            found |= {n.target.id for n in walrus}
        elif not isinstance(node, ast.Lambda):
            todo += ast.iter_child_nodes(node)
    return found


def _used(node: ast.AST) -> set[str]:
    """What a statement names that it does not bind itself, with its attributes: "models.locate"."""
    found: set[str] = set()
    _collect(node, frozenset(), found)
    return found


def _collect(node: ast.AST, local: frozenset[str], found: set[str]) -> None:
    """local: the names that the scope around `node` binds, and those around that."""
    at, attributes = node, []
    while isinstance(at, ast.Attribute):
        attributes.append(at.attr)
        at = at.value
    if isinstance(at, ast.Name):
        if at.id not in local:
            found.add(".".join([at.id, *reversed(attributes)]))
        return
    outer, inner, scope = [], list(ast.iter_child_nodes(node)), local
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        body = node.body if isinstance(node.body, list) else [node.body]
        outer, inner = [child for child in inner if child not in body], [*body]
        args = {a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)}
        scope = local.union(args, *map(_stored, body))
    elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        outer = [node.generators[0].iter]
        scope = local.union(*(_stored(g.target) for g in node.generators))
        inner = [n for n in inner if not isinstance(n, ast.comprehension)]
        for i, g in enumerate(node.generators):
            inner += [*g.ifs, *([g.iter] if i else [])]
    for child in outer:
        _collect(child, local, found)
    for child in inner:
        _collect(child, scope, found)


_module, _is_file = cache(_Module), cache(Path.is_file)


@cache
def _place(dotted: str) -> tuple[Path, str] | None:
    """The library's file that a dotted name leads to, and the definition in it ("": all of it)."""
    package, *parts = dotted.split(".")
    if package != LIBRARY.name:
        return None
    folder = LIBRARY
    for i, part in enumerate(parts):
        if (folder / part).is_dir():
            folder = folder / part
        elif (file := folder / f"{part}.py").is_file():
            return file, ".".join(parts[i + 1 : i + 2])
        else:
            return folder / "__init__.py", part
    return folder / "__init__.py", ""


@cache
def _is_plumbing(file: Path, name: str) -> bool:
    if not file.is_relative_to(LIBRARY):
        return False  # a script's own
    module = file.relative_to(LIBRARY).with_suffix("").as_posix()
    return bool({module, f"{module}.{name}"} & PLUMBING)


def _entry(nodes: list[ast.stmt], key: str) -> list[ast.expr]:
    """Of a table of methods, the one entry that counts; none if it has another name. What is only
    said of it (SAID) is left out."""
    table = next(n for node in nodes for n in ast.walk(node) if isinstance(n, ast.Dict))
    entries = zip(table.keys, table.values)
    own = [deepcopy(v) for k, v in entries if k and ast.literal_eval(k) == key]
    for call in (n for value in own for n in ast.walk(value) if isinstance(n, ast.Call)):
        call.keywords = [word for word in call.keywords if word.arg not in SAID]
    return own


def _places(node: ast.AST) -> set[str]:
    """The definitions that a record names as `kinds.Place`."""
    calls = (n for n in ast.walk(node) if isinstance(n, ast.Call))
    named = (n for n in calls if isinstance(n.func, ast.Name) and n.func.id == "Place")
    return {f"{LIBRARY.name}.{ast.literal_eval(call.args[0])}" for call in named}


@cache
def _module_name(file: Path) -> str:
    """A module's dotted name below the library, a room's own for its `__init__`."""
    if not file.is_relative_to(LIBRARY):
        return file.stem
    parts = file.relative_to(LIBRARY).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


@cache
def _definition(
    file: Path, name: str, key: str | None
) -> tuple[frozenset[str], frozenset[tuple[str, bool]]]:
    """(the text of what defines a name; what that names: dotted, and whether it is the file's own).

    name: "" for the whole file; key: of a table of methods, the entry that counts.
    """
    module = _module(file)
    if name and name not in module.defined:
        return frozenset(), frozenset((target, False) for target in module.imported.get(name, ()))
    held = module.defined[name] if name else module.body
    nodes = held if key is None else _entry(held, key)
    told = [_statement(file, node) for node in (*nodes, *module.run)]
    return frozenset().union(*(t for t, _ in told)), frozenset().union(*(n for _, n in told))


@cache
def _statement(file: Path, node: ast.AST) -> tuple[set[str], set[tuple[str, bool]]]:
    """As `_definition`, of one statement of a file."""
    module, text = _module(file), ast.dump(node)
    texts, names = {text}, {(place, False) for place in _places(node)} if "Place" in text else set()
    for used in _used(node):
        first, _, rest = used.partition(".")
        if first in module.defined:
            names.add((first, True))
        for target in module.imported.get(first, ()):
            names.add((f"{target}.{rest}".rstrip("."), False))
            if _place(target) is None:  # a name from another library: where it is from
                texts.add(f"{first} = {target}")
    return texts, names


def _members(file: Path, name: str) -> set[tuple[Path, str]]:
    """The members of `job.Job` that a script, or another member, uses."""
    job, module = LIBRARY / "run" / "job.py", _module(file)
    if not job.is_file() or (file.is_relative_to(LIBRARY) and not name.startswith("Job.")):
        return set()
    nodes = module.defined[name] if name else module.body
    named = {n.attr for top in nodes for n in ast.walk(top) if isinstance(n, ast.Attribute)}
    return {(job, f"Job.{n}") for n in named if f"Job.{n}" in _module(job).defined}


@cache
def code_digest(script: Path, methods: tuple[tuple[str, str], ...] = ()) -> str:
    """Digest of a script and of the definitions of the library that it reaches. Comments,
    docstrings, imports, PLUMBING and the place of a definition do not count.

    methods: (table, name) for each table of methods ("complete.SOLVERS") of which the job uses
    that entry alone; a name that is not in it for one of which it uses nothing but the names.
    """
    chosen, seen, todo = dict(methods), set(), {(script, "")}
    texts: set[str] = set()
    while todo:
        file, name = place = todo.pop()
        seen.add(place)
        text, names = _definition(file, name, chosen.get(f"{_module_name(file)}.{name}"))
        texts |= text
        found = _members(file, name)
        for dotted, own in names:
            to = (file, dotted) if own else _place(dotted)
            if to and _is_file(to[0]) and not _is_plumbing(*to):
                found.add(to)
        todo |= found - seen
    return digest(sorted(texts))


def remembered_code_digest(script: Path, methods: tuple[tuple[str, str], ...], cache: Path) -> str:
    """`code_digest`, remembered in `cache` for as long as no file of the code was touched: each
    job of a study plans anew."""
    name, stamp = f"{script.name} {methods}", _touched(script.parent)
    match remembered(cache).get(name):
        case [str(seen), str(value)] if seen == stamp:
            return value
    value = code_digest(script, methods)
    with suppress(OSError):
        remember(cache, {name: [stamp, value]})
    return value


@cache
def _touched(folder: Path) -> str:
    """What changes when any file of Python below `folder` does."""
    stats = [(file, file.stat()) for file in sorted(folder.rglob("*.py"))]
    return digest([[str(f.relative_to(folder)), s.st_size, s.st_mtime_ns] for f, s in stats])
