"""Rooms: who may know whom. Imports run downwards only."""

import ast
import re
from pathlib import Path

import pytest
import regrowth
from regrowth.attack import VARIANTS
from regrowth.run.job import ROOT
from regrowth.study.config import Sampler

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


def parsed(expression: str) -> ast.expr:
    return ast.parse(expression, mode="eval").body


def rules_told(text: str) -> dict[str, tuple[set[str], str]]:
    """rule → the names of its params, and its script, from a file of rules."""
    dicts = dict(re.findall(r"^(\w+) = (\{$.*?^\})$", text, re.MULTILINE | re.DOTALL))
    dicts["SAMPLER"] = str(dict.fromkeys(Sampler.model_fields))
    found: dict[str, tuple[set[str], str]] = {}
    for block in re.split(r"^ *(?:use )?rule ", text, flags=re.MULTILINE)[1:]:
        base, name = re.match(r"(\w+)(?: as (\w+) with)?:", block).groups()
        told, script = found.get(base, (set(), ""))
        if params := re.search(r"^( *)params:\n((?:\1 +\S.*\n)+)", block, re.MULTILINE):
            call = parsed(f"dict(\n{params[2]})")
            told = set()
            for one in call.keywords:
                held = [] if one.arg else parsed(dicts[one.value.id]).keys
                told |= {one.arg} if one.arg else {key.value for key in held}
        if run := re.search(r"^ *script:\n *\"(.+)\"", block, re.MULTILINE):
            script = Path(run[1]).name
        found[name or base] = told, script
    return found


def asked_of_params(script: str) -> set[str]:
    """What a script reads of `snakemake.params`, under whatever name it holds them."""
    tree = ast.parse(script)
    params = {"snakemake.params"}
    for node in (n for n in ast.walk(tree) if isinstance(n, ast.Assign)):
        target, value = node.targets[0], node.value
        several = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
        pairs = zip(target.elts, value.elts) if several else [(target, value)]
        params |= {ast.unparse(a) for a, b in pairs if ast.unparse(b) == "snakemake.params"}
    reads = (n for n in ast.walk(tree) if isinstance(n, ast.Attribute))
    return {n.attr for n in reads if ast.unparse(n.value) in params} - {"get", "items"}


FILES = sorted((ROOT / "rules").glob("*.smk"))
RULES = rules_told("\n".join(file.read_text(encoding="utf-8") for file in FILES))
#: What one script asks of some of its rules alone: those with a guard.
ELSEWHERE = {"relearn": {"embedded_at"}, "invert": {"embedded_at"}}


@pytest.mark.parametrize("rule", [name for name, (_, script) in RULES.items() if script])
def test_a_rule_tells_its_script_all_that_it_asks(rule):
    told, script = RULES[rule]
    asked = asked_of_params((ROOT / "workflow_scripts" / script).read_text(encoding="utf-8"))
    assert asked - told == ELSEWHERE.get(rule, set())


def test_what_a_rule_does_not_tell_is_found():
    assert {"embedded_at", "word", "guidance"} <= RULES["evade"][0]
    assert RULES["evade"][1] == RULES["relearn"][1] == "relearn.py"
    script = "job, told = start(snakemake), snakemake.params\nx = told.a + snakemake.params.b"
    assert asked_of_params(script) == {"a", "b"}
    script = 'rule a:\n    params:\n        x=f(y=1),\n        **D,\n    script:\n        "s.py"\n'
    text = 'D = {\n    "z": 1,\n}\n' + script + "use rule a as b with:\n    input:\n        1,\n"
    assert rules_told(text) == {"a": ({"x", "z"}, "s.py"), "b": ({"x", "z"}, "s.py")}


#: What of a rule's params has the concept's words in it. Captions of an attacker's pictures are by
#: what is taught (test_sweep).
WORDS = ("DEPENDS.word", "DEPENDS.pairs_of", "attackers.unsaid")


def told_the_name(text: str) -> dict[str, bool]:
    """variant → whether the rule that makes it is told the concept's words."""
    blocks = re.split(r"^ *(?:use )?rule ", text, flags=re.MULTILINE)
    made = {block: re.search(r"SWEEP\.known_to\(\"([\w-]+)\"\)", block) for block in blocks}
    return {m[1]: any(w in block for w in WORDS) for block, m in made.items() if m}


def test_the_name_reaches_those_attacks_that_are_said_to_know_it():
    text = "\n".join(file.read_text(encoding="utf-8") for file in FILES)
    makers = told_the_name(text)
    assert {*makers} == {n for n, v in VARIANTS.items() if v.patch and not v.of}
    assert makers == {name: "prompts" in VARIANTS[name].needs for name in makers}
    smuggled = text.replace("model=DEPENDS.model,", "model=DEPENDS.model,\n        x=DEPENDS.word,")
    assert told_the_name(smuggled)["blind"] and told_the_name(smuggled)["relearn"]
