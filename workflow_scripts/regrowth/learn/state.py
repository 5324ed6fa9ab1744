"""What a training needs to go on after a kill."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from regrowth.files.store import replacing
from regrowth.learn.passed import Passed

log = logging.getLogger(__name__)
#: Steps from one state to the next.
EVERY = 50


class Kept:
    """A training's last state, in a file. told: a digest of all that decides the training; a state
    of another is none. passed: what counts on, with what had passed until then."""

    def __init__(self, file: Path, told: str, every: int = EVERY, passed: Passed | None = None):
        self.file, self.told, self.every, self.passed = file, told, every, passed

    def read(self) -> dict[str, Any] | None:
        """Tensors and numbers as `after` wrote them; None without any that can be read."""
        if not self.file.exists():
            return None
        try:
            held = torch.load(self.file, weights_only=True)
        except Exception as error:  # torch raises many kinds for a file that was cut off
            log.info("%s cannot be read: %s", self.file.name, error)
            return None
        if held.get("told") != self.told:
            log.info("%s is another training's", self.file.name)
            return None
        if self.passed:
            self.passed.forwards, self.passed.backwards = held["passed"]
        log.info("goes on from step %d", held["step"])
        return held

    def after(self, step: int, state: Callable[[], dict[str, Any]]) -> None:
        """Write the state that comes after this many steps, when it is time."""
        if step % self.every == 0:
            more = {"step": step, "told": self.told}
            if self.passed:
                more["passed"] = (self.passed.forwards, self.passed.backwards)
            with replacing(self.file) as part:
                torch.save(state() | more, part)

    def drop(self) -> None:
        self.file.unlink(missing_ok=True)
