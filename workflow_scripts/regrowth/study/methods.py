"""The table of methods in docs/method.md, made of the tables themselves."""

from pathlib import Path
from typing import Any

from regrowth.attack import DETECTORS, MAGNITUDES, ORACLES, ROUNDINGS, VARIANTS
from regrowth.complete import SOLVERS
from regrowth.defend import FILLS
from regrowth.draw import GUARDS
from regrowth.erase import ERASERS
from regrowth.judge import JUDGES
from regrowth.kinds import Kind, Place
from regrowth.models import LAYERS

#: Each kind: its table's name, the table, and what a study calls it.
KINDS: tuple[tuple[str, Kind[Any], str], ...] = (
    ("erase.ERASERS", ERASERS, "`erasers`"),
    ("models.LAYERS", LAYERS, "`layers`"),
    ("defend.FILLS", FILLS, "`defences`"),
    ("draw.GUARDS", GUARDS, "`defences`"),
    ("attack.VARIANTS", VARIANTS, "`variants`, `attacks`"),
    ("attack.DETECTORS", DETECTORS, "`detectors`"),
    ("complete.SOLVERS", SOLVERS, "`solvers`"),
    ("attack.MAGNITUDES", MAGNITUDES, "`magnitudes`"),
    ("attack.ORACLES", ORACLES, "`oracles`"),
    ("attack.ROUNDINGS", ROUNDINGS, "`variants`"),
    ("judge.JUDGES", JUDGES, "a catalogue's `judges`, `kind`"),
)
PAGE = Path("docs/method.md")
BEGIN, END = "<!-- methods -->\n", "<!-- end -->\n"


def table() -> str:
    """Markdown: what kinds there are, what a study calls them, their methods and their code."""
    lines = ["| kind | in a study | methods | table | code |", "| --- | --- | --- | --- | --- |"]
    for name, kind, asked in KINDS:
        methods = ", ".join(f"`{method}`" for method in kind)
        cells = (kind.what, asked, methods, f"`{name}`", ", ".join(_files(kind)))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _files(kind: Kind[Any]) -> list[str]:
    """The files that hold the code of a kind's methods."""
    records = [[r] if isinstance(r, Place) else list(vars(r).values()) for r in kind.values()]
    places = (value.name for values in records for value in values if isinstance(value, Place))
    modules = dict.fromkeys(place.rpartition(".")[0].replace(".", "/") for place in places)
    return [f"`regrowth/{module}.py`" for module in modules]


def written(page: str) -> str:
    """The page with the table between its marks."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return head + BEGIN + table() + END + tail


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
