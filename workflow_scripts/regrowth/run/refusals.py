"""What a run is refused for before any job: each raises `Refused` with what would be right."""

import os
from collections import Counter
from pathlib import Path

import yaml
from regrowth.erase import checkpoints
from regrowth.files.keys import NONE
from regrowth.models import disk, vocabulary
from regrowth.run import driver
from regrowth.run.cost import UNREADABLE
from regrowth.study import attackers, variants
from regrowth.study.catalogue import concepts_of
from regrowth.study.prompts import calibration_pairs
from regrowth.study.sweep import Sweep


class Refused(Exception):
    """One message for people."""


def unasked_layer(sweep: Sweep) -> None:
    n = len(sweep.layers)
    settings = [*sweep.study.sweep, *sweep.study.attacks.values()]
    asked = (number for some in settings for number in getattr(some, "layers_alone", []))
    if beyond := [number for number in asked if number >= n]:
        raise Refused(
            f"layers_alone: there is no layer {beyond[0]}; the model's {n} attacked layers are "
            f"numbered from 0 to {n - 1}"
        )


def no_attack(sweep: Sweep) -> None:
    plain = (v for v in sweep.asked if variants.unguarded(v)["defence"] == NONE)
    if sweep.concepts and not any(plain):
        raise Refused(
            "the study erases concepts, but attacks none without a defence, which all of its "
            "tables compare with: add a block with `variants: [pruned]` and no `defences`"
        )


def none_to_pick(sweep: Sweep) -> None:
    """A judge is to pick of more pictures of a prompt than there are of any concept."""
    asked = sweep.study.best_of
    rows = [row for b in sweep.bundles for row in sweep.rows(b) if asked]
    most = {}
    for concept in sweep.concepts if asked else []:
        name = concepts_of(sweep.catalogue)[concept][1]
        drawn = {(r["prompt"], r["seed"]) for r in rows if r["class"] in ("", name)}
        most[name] = max(Counter(prompt for prompt, _ in drawn).values(), default=0)
    if beyond := [n for n in asked if n > max(most.values())]:
        has = "; ".join(f"of {name}'s one has {have} at most" for name, have in most.items())
        raise Refused(
            f"best_of: a judge cannot pick of {beyond[0]} pictures of a prompt: {has}. More "
            f"`images.erased`, or fewer to pick of"
        )


def odd_prefixes(sweep: Sweep, model: Path) -> None:
    """Forbidden tokens that are none, and prefixes that nothing is left for."""
    asked = {(v["concept"], int(v["tokens"])) for v in sweep.asked if v["variant"] == "prefix"}
    if not asked:
        return
    tokenizer, told = vocabulary.load(model), []
    for word, read in vocabulary.missing(tokenizer, sweep.study.learning.forbid).items():
        told.append(
            f"learning.forbid: {word!r} is no token of the model's vocabulary: it is read as "
            f"{', '.join(read) or 'nothing'}"
        )
    room = tokenizer.model_max_length - 2
    for concept, tokens in sorted(asked):
        family, name = concepts_of(sweep.catalogue)[concept]
        pairs = calibration_pairs(sweep.catalogue.families[family], name)
        longest = max((prompt for _, prompt in pairs), key=len)
        n = len(vocabulary.ids(tokenizer, longest))
        if n + tokens > room:
            told.append(
                f"a prefix of {tokens} tokens before {longest!r}, which has {n}, is longer than "
                f"the {room} that the model reads: fewer `tokens`"
            )
        if not vocabulary.free(tokenizer, attackers.forbidden(sweep, concept)):
            told.append(f"{name!r}: nothing is left of the vocabulary to make a prefix of")
    if told:
        raise Refused("\n".join(told))


def no_spread(sweep: Sweep) -> None:
    if sweep.defended and (flat := disk.constant(list(sweep.layers))):
        raise Refused(
            f"a defence is asked for, but of {', '.join(flat)} all weights are the same, so that "
            f"there is no spread to take a fill from: leave `defences` out, or attack other "
            f"`layers`"
        )


def other_layout(out: Path, layout: dict) -> None:
    """Finished work is filed by these numbers, so they stay what they were."""
    begun = out / "model.yaml"
    if not begun.exists():
        return
    try:
        before = yaml.safe_load(begun.read_text(encoding="utf-8"))["layout"]
    except UNREADABLE:
        raise Refused(
            f"{begun}, which says how the results beside it are filed, is damaged. If the study "
            f"still says what it said when they were begun, delete this file: a run makes it anew"
        ) from None
    if before != layout:
        raise Refused(
            f"{out} was begun with {before}, the study now says {layout}. Its results are filed by "
            f"these numbers: put them back, or give the study another name."
        )


def read_only(out: Path) -> None:
    """Before any job, rather than at the end of each."""
    folder = next(f for f in (out, *out.parents) if f.exists())
    if not os.access(folder, os.W_OK):
        raise Refused(f"{folder.resolve()} cannot be written to, so no result can be kept there")


def no_numbers(sweep: Sweep, model: Path) -> None:
    """A weight under attack that is no number makes everything after it none."""
    if odd := disk.infinite(list(sweep.layers)):
        raise Refused(f"{model}: of {', '.join(odd)} some weights are no numbers")


def other_checkpoints(sweep: Sweep, model: Path) -> None:
    """What was not pruned from this model, or not pruned alone, tells no mask; and what is released
    whole is of the model's own shape."""
    erasers, layers, told = sweep.study.erasers, list(sweep.layers), []
    given = {name: erasers.checkpoints(name) for name in sweep.erasers("given")}
    weights = disk.read_weights(layers) if any(given.values()) else {}
    hidden = {name: erasers.checkpoints(name) for name in sweep.erasers("hidden")}
    whole = {name: erasers.checkpoints(name) for name in sweep.erasers("whole")}
    stored = disk.stored(model) if any(whole.values()) else {}
    for name, paths in (given | hidden | whole).items():
        for concept, path in paths.items():
            try:
                if name in whole:
                    checkpoints.fits(sweep.root / path, stored)
                elif name in hidden:
                    checkpoints.read(sweep.root / path, layers)
                else:
                    checkpoints.check(sweep.root / path, layers, weights)
            except (OSError, ValueError) as error:
                told.append(f"erasers.{name}: {concept}: {error}")
    if told:
        raise Refused("\n".join(told))


def second_driver(out: Path) -> None:
    if not driver.hold(out):
        raise Refused(
            f"a run is at work on {out}: let it end, or ask `snakemake status` how far it is"
        )
