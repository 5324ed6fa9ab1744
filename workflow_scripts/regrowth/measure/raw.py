"""A study's raw scores as its tables ask for them: some at a time, since all may not fit."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
from regrowth.files.store import keys_of, read_hive
from regrowth.measure.cells import SCORES, without_others_erased
from regrowth.study import variants
from regrowth.study.prompts import concerns


@dataclass(frozen=True)
class Raw:
    """files: of scores, below `folder`. sets: concept → the sets that judge it. together: as
    `without_others_erased` takes it, which is applied to all."""

    files: Iterable[str]
    folder: Path
    sets: Mapping[str, list[str]]
    together: Mapping[str, list[str]]

    @cached_property
    def _told(self) -> dict[str, dict[str, str]]:
        return {file: keys_of(file, self.folder) for file in self.files}

    def scores(self, concept: str, judge: str) -> pd.DataFrame:
        """What a judge says of a concept's variants, and of models as they are on the same sets."""
        files = [
            file
            for file, told in self._told.items()
            if judge in told["judges"].split("+") and concerns(told, concept, self.sets[concept])
        ]
        found = self._read(files, judge) if files else pd.DataFrame(columns=SCORES)
        return found.drop(columns="features", errors="ignore")

    def featured(self, judges: Collection[str], pretrained: bool) -> Iterator[pd.DataFrame]:
        """What each of these judges says, file by file: of the pretrained model, or of all."""
        for file, told in self._told.items():
            if told["variant"] == "pretrained" or not pretrained:
                for judge in (name for name in told["judges"].split("+") if name in judges):
                    yield self._read([file], judge)

    def _read(self, files: list[str], judge: str) -> pd.DataFrame:
        found = read_hive(files, self.folder, variants.KEYS)
        own = without_others_erased(found[found["judge"] == judge], self.together)
        return own.drop(columns="judges")


def costs(files: Collection[str], folder: Path) -> pd.DataFrame:
    """What attackers' trainings spent, below `folder`: a row a step after which one was kept, by
    the keys of its variant."""
    if not files:
        return pd.DataFrame(columns=[*variants.KEYS])
    spent = read_hive(files, folder, variants.KEYS)
    spent["step"] = spent.pop("at").astype(str)
    return spent
