"""What a study asks for that cannot be: a line for each mistake."""

from collections.abc import Iterator
from pathlib import Path

from regrowth.attack import ASKED, DETECTORS, VARIANTS, needed
from regrowth.attack.settings import parted
from regrowth.defend import FILLS
from regrowth.erase import ERASERS
from regrowth.files import hub, keys
from regrowth.learn.recipes import RECIPES
from regrowth.models.card import ModelCard
from regrowth.study import checks, latent, together, variants
from regrowth.study.catalogue import Catalogue, concepts_of
from regrowth.study.config import Study
from regrowth.study.prompts import calibration_pairs
from regrowth.study.sweep import learnt
from regrowth.study.young import names_young


def mistakes(study: Study, catalogue: Catalogue, card: ModelCard, root: Path) -> list[str]:
    """All of them, by what the study, its catalogue and its card say alone."""
    return [
        *of_prompts(study, catalogue),
        *of_pictures(study, catalogue),
        *of_names(study),
        *together.mistakes(study),
        *of_checkpoints(study),
        *of_steps(study, catalogue, card),
        *of_attackers(study, catalogue),
        *latent.mistakes(study, catalogue, card, root),
        *of_edits(study),
        *of_hidden(study),
        *of_alternatives(study, catalogue),
    ]


def of_prompts(study: Study, catalogue: Catalogue) -> list[str]:
    """Prompt sets that a block asks for and a concept of it does not have."""
    out = []
    for i, block in enumerate(study.sweep):
        for concept in block.concepts:
            family, _ = concepts_of(catalogue)[keys.slug(concept)]
            known = ["erased", "preserved", *catalogue.families[family].also]
            out += [
                f"config: sweep[{i}].prompts: {concept}: " + checks.unknown("set", name, known)
                for name in block.prompts
                if name not in known
            ]
    return list(dict.fromkeys(out))


def of_pictures(study: Study, catalogue: Catalogue) -> list[str]:
    """Fewer pictures of the erased class than its family's shared set has of every class.

    That set is drawn once for every concept, so its pictures of the erased class are judged too.
    """
    erased, shared = study.images.erased, study.images.preserved
    blocks = [b for b in study.sweep if not b.prompts or {"erased", "preserved"} & {*b.prompts}]
    for concept in (concept for block in blocks for concept in block.concepts):
        family, _ = concepts_of(catalogue)[keys.slug(concept)]
        entry = catalogue.families[family]
        if erased < shared and entry.drawn and entry.preserved in (None, family):
            return [
                f"config: images.erased: {erased} is below images.preserved ({shared}), and all "
                f"{shared} of {concept!r} are judged: erased: {shared} or more, or fewer preserved"
            ]
    return []


def of_names(study: Study) -> list[str]:
    """Erasers and attacks that a block asks for and nobody named; attacks that lack a list."""
    out = [
        f"config: attacks.{name}: it needs {told}"
        for name, attack in study.attacks.items()
        for told in attack.lacking()
    ]
    known = {"eraser": study.erasers.names(), "attack": list(study.attacks)}
    if keys.NONE in known["eraser"]:
        out.append("config: erasers.none: in paths 'none' means no eraser: give it another name")
    for i, block in enumerate(study.sweep):
        for what, names in (("eraser", block.erasers), ("attack", block.attacks)):
            out += [
                f"config: sweep[{i}].{what}s: " + checks.unknown(what, name, known[what])
                for name in names
                if name not in known[what]
            ]
    return out


def of_checkpoints(study: Study) -> list[str]:
    """Checkpoints that a block asks for and nobody named."""
    return [
        f"config: {place}: {concept!r} is to be erased by a checkpoint, but none is "
        f"named: {concept}: a model directory, or a file of weights"
        for place, concepts, given in _checkpoints(study)
        for concept in concepts
        if keys.slug(concept) not in given
    ]


def nowhere(study: Study, root: Path) -> list[str]:
    """Checkpoints that a block asks for and that are not there."""
    return [
        f"config: {place}.{concept}: {hub.nowhere(path, root)}"
        for place, _, given in _checkpoints(study)
        for concept, path in given.items()
        if not (root / path).exists()
    ]


def _checkpoints(study: Study) -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """Of each eraser that is given them: where they stand in a study, the concepts that it is asked
    to erase, and what it was given."""
    for kind in (k for k, eraser in ERASERS.items() if eraser.how in ("given", "whole", "hidden")):
        for name, concepts in together.asked(study, kind).items():
            place = f"erasers.{name}" + ("" if name in ERASERS else ".models")
            yield place, concepts, study.erasers.checkpoints(name)


def _kind(study: Study, attack: str) -> str:
    """The variant that a named attack makes; "" for one that nobody named, which is told."""
    return study.attacks[attack].kind if attack in study.attacks else ""


def of_attackers(study: Study, catalogue: Catalogue) -> list[str]:
    """Attackers who would train on unsafe pictures, which are never written; controls that are
    none."""
    out, concepts = [], concepts_of(catalogue)
    named = [block for block in study.sweep if {*block.attacks} <= {*study.attacks}]
    for cell, _ in variants.of_sweep(named, 0, study.attacks):
        family, concept = concepts[cell["concept"]]
        guard = cell["defence"] if learnt(cell["defence"]) else ""
        if catalogue.families[family].unsafe and ("concept" in needed(cell) or guard):
            out.append(
                f"config: {guard or cell['variant']}: pictures of {concept!r} are unsafe, and what "
                f"is trained on is written: none can learn from pictures of the concept"
            )
    known, told = study.erasers.names(), {n for pair in study.controls.items() for n in pair}
    out += [
        f"config: control: {checks.unknown('eraser', name, known)}"
        for name in sorted(told - {*known})
    ]
    out += [
        f"config: control.{name}: {held} has a control itself, and is none"
        for name, held in study.controls.items()
        if held in study.controls
    ]
    return list(dict.fromkeys(out))


def of_edits(study: Study) -> list[str]:
    """Attacks and defences of what has no holes, and words that an edit may not send to."""
    kinds = {name: study.erasers.kind(name) for name in study.erasers.names()}
    edits = [name for name, kind in kinds.items() if not ERASERS[kind].holes]
    allowed = [name for name in ASKED if not VARIANTS[name].holes]
    out = []
    for i, block in enumerate(study.sweep):
        for name in (name for name in block.erasers if name in edits):
            asked = [v for v in block.variants if v not in allowed]
            asked += [a for a in block.attacks if _kind(study, a) not in allowed]
            asked += [d for d in block.defences if d in FILLS]
            if asked:
                out.append(
                    f"config: sweep[{i}]: {name} changes weights and erases none, so there is "
                    f"nothing to complete or to fill: only {', '.join(allowed)}, without a "
                    f"defence (given: {', '.join(asked)})"
                )
    for name in edits:
        solved = ERASERS[kinds[name]].how == "edit"
        guide = study.erasers.of(name, "object").get("guide") if solved else None
        place = f"erasers.{name}.guide"
        if guide and names_young(guide):
            out.append(f"config: {place}: {guide!r} {checks.YOUNG}")
        out += [
            f"config: {place}: {concept!r} is sent to itself: another word, or none"
            for concept in together.asked(study, kinds[name])[name]
            if guide and keys.slug(concept) == keys.slug(guide)
        ]
    return out


def of_hidden(study: Study) -> list[str]:
    """What has to be told where something was erased, asked for where nobody knows."""
    out, kinds = [], {name: study.erasers.kind(name) for name in study.erasers.names()}
    hidden = [name for name, kind in kinds.items() if ERASERS[kind].how == "hidden"]
    for i, block in enumerate(study.sweep):
        named = [study.attacks[name] for name in block.attacks if name in study.attacks]
        wanted = [d for d in block.defences if d in FILLS]
        wanted += [
            "oracle" for name in [*block.variants, *(a.kind for a in named)] if name == "oracle"
        ]
        told = [block] if any(VARIANTS[name].holes for name in block.variants) else []
        told += [attack for attack in named if VARIANTS[attack.kind].holes]
        detectors = [d for some in told for d in getattr(some, "detectors", [])]
        wanted += [d for d in detectors if not DETECTORS[parted(d)[0]].share]
        out += [
            f"config: sweep[{i}]: where {name} has erased nobody knows, so a detector has to look, "
            f"such as detectors: [combined-0.05], without a defence (given: {', '.join(wanted)})"
            for name in block.erasers
            if wanted and name in hidden
        ]
    return out


def of_alternatives(study: Study, catalogue: Catalogue) -> list[str]:
    """Concepts that are to be learnt as themselves: what a trained eraser holds a concept against,
    the calibration's base prompts, names it."""
    out, known = [], concepts_of(catalogue)
    for kind in RECIPES:
        for eraser, concepts in together.asked(study, kind).items():
            for family, name in (known[keys.slug(c)] for c in concepts):
                for base, _ in calibration_pairs(catalogue.families[family], name):
                    if f"-{keys.slug(name)}-" in f"-{keys.slug(base)}-":
                        out.append(
                            f"config: erasers.{eraser}: {name!r} is its own alternative: the base "
                            f"{base!r} of its calibration names it; one of other things is wanted"
                        )
                        break
    return out


def of_steps(study: Study, catalogue: Catalogue, card: ModelCard) -> list[str]:
    """More denoising steps to calibrate than the sampler makes, for a kind that is erased so."""
    made, known, out = study.sampler.of(card)["steps"], concepts_of(catalogue), []
    if study.identify and study.identify > made:
        out.append(
            f"config: identify: the sampler makes {made} steps, so at most {made} of a calibration "
            f"tell a concept (given: {study.identify})"
        )
    for eraser in (name for name, method in ERASERS.items() if method.reads == "norms"):
        for name, concepts in together.asked(study, eraser).items():
            kinds = dict.fromkeys(catalogue.families[known[keys.slug(c)][0]].kind for c in concepts)
            out += [
                f"config: erasers.{name}.{kind}.steps: the sampler makes {made} steps, so {steps} "
                f"cannot be calibrated: {made} or fewer"
                for kind in kinds
                if (steps := study.erasers.of(name, kind)["steps"]) > made
            ]
    return out
