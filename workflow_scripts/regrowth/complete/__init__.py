"""Low-rank matrix completion, on torch and numpy alone."""

from regrowth.complete.engine import SOLVERS, Completion, complete, complete_all

__all__ = ["SOLVERS", "Completion", "complete", "complete_all"]
