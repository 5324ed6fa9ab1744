"""Kinds of methods: each is a table of records by name, read without any method's code.

A room's `__init__` holds the tables of its kinds. A record is a frozen dataclass of what a plan
must know of a method; the code stands in it as a `Place` and is imported when it is first used, so
that planning needs no torch.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

Record = TypeVar("Record")


@dataclass(frozen=True)
class Place:
    """A definition of the library by its dotted name, such as "defend.fills.gaussian"."""

    name: str

    @property
    def held(self) -> Any:
        module, _, name = self.name.rpartition(".")
        return getattr(import_module(f"regrowth.{module}"), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.held(*args, **kwargs)


class Kind(dict[str, Record]):
    """A table of methods. Raises ValueError, with the names there are, for another name."""

    def __init__(self, what: str, methods: dict[str, Record]):
        super().__init__(methods)
        self.what = what

    def __missing__(self, name: str) -> Record:
        raise ValueError(f"unknown {self.what} {name!r}; known: {', '.join(self)}")
