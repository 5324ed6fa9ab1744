"""Tables of features: Fréchet distances and integrity, from one cell's pictures at a time."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from regrowth.files import keys
from regrowth.measure import integrity
from regrowth.measure.cells import for_concept
from regrowth.measure.pictures import frechet
from regrowth.study.catalogue import Catalogue

Sets = Mapping[str, list[str]]
References = Mapping[tuple[str, str], dict[str, np.ndarray]]


def of_features(
    features: Callable[[bool], Iterable[pd.DataFrame]],
    references: References,
    catalogue: Catalogue,
    sets: Sets,
) -> dict[str, list[pd.DataFrame]]:
    """The frames that make up the tables "fid" and "integrity": by cell and concept, each with a
    row a prompt set and role.

    features: frames of one cell and judge each, of the pretrained model's (True), which are held
    together, or of all, of which one at a time is. references: (judge, prompt set) → mean,
    covariance, n. sets: concept → the sets that judge it.
    """
    made: dict[str, list[pd.DataFrame]] = {"fid": [], "integrity": []}
    base = pd.concat([pd.DataFrame({"judge": []}), *features(True)], ignore_index=True)
    held = {judge: Held.of(own, catalogue, sets) for judge, own in base.groupby("judge")}
    alone: dict[tuple[str, str], list] = {}  # models as they are: a file for each of their sets
    for frame in features(False):
        made["fid"] += _distances(frame, references, catalogue, sets)
        told_by, variant, concept = frame[["judge", "variant", "concept"]].iloc[0]
        if told_by not in held:
            continue
        far = integrity.distances(frame, held[told_by].units)
        if concept == keys.NONE:
            alone.setdefault((told_by, variant), []).append(far)
        else:
            made["integrity"] += held[told_by].integrity(far, catalogue, sets)
    for (told_by, _), some in alone.items():
        made["integrity"] += held[told_by].integrity(pd.concat(some), catalogue, sets)
    return made


def _distances(frame, references, catalogue, sets) -> list[pd.DataFrame]:
    """The Fréchet distances of one cell's features, for every concept that it judges."""
    out, judge = [], frame["judge"].iloc[0]
    for concept, names in sets.items():
        rows = for_concept(frame, catalogue, concept, names)
        for prompt_set, some in rows[rows["role"] == "preserved"].groupby("prompt_set"):
            if (judge, prompt_set) in references:
                out.append(frechet(some, **references[judge, prompt_set]).assign(judge=judge))
    return out


@dataclass(frozen=True)
class Held:
    """What a judge makes of the pretrained model's pictures: features of length 1, and by concept
    how far two of a class are apart."""

    units: pd.DataFrame
    rulers: dict[str, integrity.Rulers]

    @classmethod
    def of(cls, base: pd.DataFrame, catalogue: Catalogue, sets: Sets) -> "Held":
        rulers = {
            concept: integrity.ruler(for_concept(base, catalogue, concept, names))
            for concept, names in sets.items()
        }
        return cls(integrity.units(base), rulers)

    def integrity(self, far, catalogue, sets) -> list[pd.DataFrame]:
        """How far one variant's pictures are from these, for every concept that they judge. far: of
        `integrity.distances`."""
        rows = ((c, for_concept(far, catalogue, c, names)) for c, names in sets.items())
        told = (integrity.integrity(own, self.rulers[c]) for c, own in rows if len(own))
        return [some.assign(judge=far["judge"].iloc[0]) for some in told]
