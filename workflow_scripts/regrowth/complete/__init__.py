"""Low-rank matrix completion, on torch and numpy alone: `complete` one layer, or `complete_all`."""

from typing import TYPE_CHECKING

from regrowth.kinds import Kind, Place

if TYPE_CHECKING:
    from regrowth.complete.engine import Completion, complete, complete_all

__all__ = ["SOLVERS", "Completion", "complete", "complete_all"]

#: Each takes a `problem.Problem` and options of its own, and returns a `problem.Outcome`.
SOLVERS = Kind(
    "solver",
    {
        "faithful": Place("complete.nuclear_norm.faithful"),
        "nuclear": Place("complete.nuclear_norm.nuclear"),
        "softimpute": Place("complete.softimpute.softimpute"),
        "gauss-spin": Place("complete.gauss_spin.gauss_spin"),
    },
)


def __getattr__(name: str):
    """The engine, when it is asked for: it needs torch, and the table of solvers does not."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from regrowth.complete import engine

    return getattr(engine, name)
