"""Rooms: who may know whom. Imports run downwards only."""

import ast
from pathlib import Path

import pytest
import regrowth

LIBRARY = Path(regrowth.__file__).parent
#: From the ground up. Rooms on one line do not know each other.
FLOORS = [
    ["files", "kinds"],
    ["settings"],
    ["models", "complete"],
    ["draw"],
    ["learn"],
    ["erase", "defend", "attack"],
    ["judge"],
    ["study"],
    ["measure"],
    ["audit", "classify"],
    ["show"],
    ["run"],
    ["demo"],
]
FLOOR = {room: i for i, floor in enumerate(FLOORS) for room in floor}
#: The demo model's own world and training look at the files' room alone; nobody looks at them.
DEMO_MAY = {"demo", "files"}
#: What planning imports; torch takes seconds.
WITHOUT_TORCH = ("files", "models", "defend", "study", "settings.py", "kinds.py")
WITHOUT_TORCH += tuple(f"classify/{of}.py" for of in ("__init__", "settings", "study", "parts"))
WITHOUT_TORCH += ("classify/data.py", "classify/split.py")


def rooms_of(file: Path) -> dict[str, int]:
    """The rooms that a module imports from, with the line."""
    found = {}
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module == "regrowth":
            names = [f"regrowth.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            if name.startswith("regrowth."):
                found[name.split(".")[1]] = node.lineno
    return found


def room_of(file: Path) -> str:
    return file.relative_to(LIBRARY).parts[0].removesuffix(".py")


MODULES = sorted(
    f for f in LIBRARY.rglob("*.py") if f.parent != LIBRARY or f.stem in ("settings", "kinds")
)


def test_every_module_has_a_room_with_a_floor():
    assert {room_of(file) for file in MODULES} == set(FLOOR)


@pytest.mark.parametrize("file", MODULES, ids=lambda f: str(f.relative_to(LIBRARY)))
def test_imports_run_downwards(file):
    own = room_of(file)
    for room, line in rooms_of(file).items():
        if own == "demo":
            assert room in DEMO_MAY, f"{file}:{line}"
        else:
            assert room == own or FLOOR[room] < FLOOR[own], f"{file}:{line}: {own} knows {room}"


@pytest.mark.parametrize("room", WITHOUT_TORCH)
def test_what_plans_imports_no_torch(room):
    at = LIBRARY / room
    for file in at.rglob("*.py") if at.is_dir() else [at]:
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            names = [a.name for a in getattr(node, "names", [])] + [getattr(node, "module", "")]
            names = [str(name).split(".")[0] for name in names]
            assert not {"torch", "diffusers", "transformers"} & {*names}, f"{file}:{node.lineno}"
