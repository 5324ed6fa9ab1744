"""What is wrong with latent attacks and guards: a classifier that judges, steps that are none, and
guidance that is none."""

from collections.abc import Iterator
from pathlib import Path

from regrowth.draw import GUARDS
from regrowth.files import keys
from regrowth.judge import JUDGES, STEERING, labels
from regrowth.models.card import ModelCard
from regrowth.study import checks, variants
from regrowth.study.catalogue import Catalogue, concepts_of
from regrowth.study.config import Study


def mistakes(study: Study, catalogue: Catalogue, card: ModelCard, root: Path) -> list[str]:
    """A line for each."""
    out: list[str] = []
    sampler = study.sampler.of(card)
    steps, guidance = sampler["steps"], sampler["guidance"]
    named = [block for block in study.sweep if {*block.attacks} <= {*study.attacks}]
    for cell, _ in variants.of_sweep(named, 0, study.attacks):
        what = cell["defence"] if cell["defence"] in GUARDS else cell["through"]
        what = cell["variant"] if cell["by"] != keys.NONE else what
        if what != keys.NONE and guidance <= 1:
            out.append(
                f"{what}: the sampler is guided from above 1 on, and what it acts on is guidance "
                f"(given: {guidance})"
            )
        if cell["by"] != keys.NONE:
            out += _classifier(cell["concept"], cell["by"], catalogue, root)
        if cell["strength"] != keys.NONE and int(float(cell["strength"]) * steps) < 1:
            out.append(
                f"completed: strengths: the sampler makes {steps} steps, and {cell['strength']} of "
                f"them is none: {1 / steps:.2g} or more"
            )
    return [f"config: {line}" for line in dict.fromkeys(out)]


def _classifier(slug: str, by: str, catalogue: Catalogue, root: Path) -> Iterator[str]:
    """Whether a judge can guide pictures of a concept, and may."""
    known = catalogue.judges
    family, concept = concepts_of(catalogue)[slug]
    if by not in known:
        yield f"guided: by: {checks.unknown('judge', by, known)}"
        return
    judge, entry = known[by], catalogue.families[family]
    sources = [entry, *(catalogue.prompt_sets[n] for n in entry.also if n in catalogue.prompt_sets)]
    counts = {
        name
        for source in sources
        for name in source.judges
        if name in known and JUDGES[known[name].kind].feeds in ("accuracy", "detections")
    }
    if by in counts or judge.model in {known[name].model for name in counts}:
        others = [n for n, j in known.items() if j.kind in STEERING and n not in counts]
        yield (
            f"guided: by: {by!r} judges {concept!r}, and nobody is guided by what judges them: "
            f"another, such as {', '.join(others) or 'a clip'}"
        )
    elif judge.kind not in STEERING:
        yield f"guided: by: {by!r} is of kind {judge.kind}; {' or '.join(STEERING)} can guide"
    elif JUDGES[judge.kind].classes and not JUDGES[judge.kind].mistakes(judge, root):
        if concept not in labels.outputs(judge, root).values():
            yield f"guided: by: {by!r} does not know {concept!r}"
