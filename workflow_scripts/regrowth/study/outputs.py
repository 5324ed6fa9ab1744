"""Which tables and figures a study ends in."""

from regrowth.attack import VARIANTS, needed
from regrowth.defend import FILLS
from regrowth.files.keys import NONE
from regrowth.judge import READ_BY_CELL
from regrowth.study import prompts
from regrowth.study.sweep import Sweep
from regrowth.study.variants import COUNTED

#: The tables that figures are drawn from.
DRAWN = ("accuracy", "signs", "alignment", "layers", "defences", "frontier")


def tables(sweep: Sweep) -> list[str]:
    return [
        *("accuracy", "pairwise", "similarity", "detections", "parts", "fid", "integrity"),
        "missing",
        *(["signs", "alignment", "layers", "solves"] if sweep.signs else []),
        *(["detectability", "normality", "defences"] if sweep.defended else []),
        *(["frontier"] if any(map(_knows, sweep.asked)) else []),
        *(["search"] if sweep.study.best_of else []),
        *(["guards"] if sweep.guarded else []),
        *(["identified"] if sweep.identified else []),
        *(["erasers", "overlaps"] if sweep.compared else []),
        *(["paper"] if sweep.study.paper else []),
    ]


def figures(sweep: Sweep) -> list[tuple[str, str, str]]:
    """Those drawn from tables: (concept, or "study"; figure; what it is shown under in Snakemake's
    report)."""
    signs, defended = sweep.signs, sweep.defended
    found = [(c, "accuracy", "Accuracy") for c in sweep.begun]
    found += [(c, "over-k", "Accuracy") for c in sweep.concepts if _swept(sweep, c)]
    found += [(c, "frontier", "Attackers") for c in sweep.begun if _taught(sweep, c)]
    found += [("study", name, "Signs") for name in ("signs", "alignment") if signs]
    found += [("study", "layers", "Layer by layer")] if signs else []
    found += [(c, "alone", "Layer by layer") for c in sweep.concepts if _alone(sweep, c)]
    found += [(c, "defences", "Defences") for c in sweep.concepts if defended and _traded(sweep, c)]
    return found + [("study", name, "Defences") for name in ("detectability", "roc") if defended]


def _knows(cell: dict[str, str]) -> bool:
    """Whether who attacks what is released, undefended, spends or knows something beside it."""
    variant = VARIANTS[cell["variant"]]
    more = needed(cell) - {"weights", "truth"}
    return cell["defence"] == NONE and bool(variant.within or variant.sampled or more)


def _of(sweep: Sweep, concept: str) -> list[dict[str, str]]:
    return [cell for cell in sweep.asked if cell["concept"] == concept]


def _swept(sweep: Sweep, concept: str) -> bool:
    """Whether one magnitude of the concept has several values of K."""
    cells = [v for v in _of(sweep, concept) if v["variant"] == "revived" and v["defence"] == NONE]
    ks = {(v["magnitude"], v["K"]) for v in cells}
    return len(ks) > len({magnitude for magnitude, _ in ks})


def _alone(sweep: Sweep, concept: str) -> bool:
    """Whether layers of the concept are revived one at a time."""
    return any(v["variant"] == "alone" for v in _of(sweep, concept))


def _taught(sweep: Sweep, concept: str) -> bool:
    """Whether an attacker trains the concept's released models, undefended."""
    own = [v for v in _of(sweep, concept) if v["defence"] == NONE]
    return any(VARIANTS[v["variant"]].within for v in own)


def _traded(sweep: Sweep, concept: str) -> bool:
    """Whether defended models of the concept are attacked, or a defence has several sigmas."""
    own = [v for v in _of(sweep, concept) if v["defence"] in FILLS]
    strengths = {(v["defence"], v["sigma"]) for v in own}
    several = len(strengths) > len({defence for defence, _ in strengths})
    return several or any(v["variant"] in COUNTED for v in own)


def table_mb(sweep: Sweep) -> int:
    """Tables are made concept by concept: at most 1.2 kB for each picture and judge was measured,
    and NudeNet has several rows a picture; and 20 kB for each picture whose features are read, a
    cell's at a time, but the pretrained model's all at once."""
    pictures = {name: len(sweep.rows(name)) for name in sweep.bundles}
    of = (
        sum(pictures[cell["prompts"]] for cell in sweep.cells if prompts.concerns(cell, c, sets))
        for c, sets in sweep.sets.items()
    )
    judges = sweep.catalogue.judges
    held = sum(
        pictures[cell["prompts"]]
        for cell in sweep.cells
        if cell["variant"] == "pretrained"
        and any(
            judges[name].kind in READ_BY_CELL
            for name in prompts.judges_of(sweep.catalogue, cell["prompts"])
        )
    )
    read = held + max(pictures.values(), default=0)
    return 1000 + max(of, default=0) * 3 // 1000 + read * 20 // 1000


def gallery_minutes(sweep: Sweep, concept: str) -> int:
    """Measured on two busy cores: 22 to 28 pictures of 512 x 512 a second."""
    own = sweep.shown(sweep.cells, concept)
    return 10 + sum(len(sweep.rows(cell["prompts"])) for cell in own) // 1200
