"""Variants: what is drawn of a model, and the keys that name it.

A key stands in a path if the variant's method has it. In frames every variant has every key, "none"
where it does not apply.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

from regrowth.attack import VARIANTS
from regrowth.defend import FILLS
from regrowth.draw import GUARDS
from regrowth.erase import ERASERS
from regrowth.files import keys
from regrowth.files.keys import NONE, RELEASED

if TYPE_CHECKING:
    from regrowth.study.config import Block

#: Every key that names a variant, as columns of frames.
KEYS = tuple(dict.fromkeys([*RELEASED, "variant", *(k for v in VARIANTS.values() for k in v.keys)]))
PRETRAINED = dict.fromkeys(KEYS, NONE) | {"variant": "pretrained"}
#: Defences that draw nothing.
FIXED = (NONE, *(name for name, fill in FILLS.items() if not fill.random), *GUARDS)
#: The variants that verdicts count among the attacks.
COUNTED = tuple(name for name, variant in VARIANTS.items() if variant.counted)

Cell = dict[str, str]


def own_keys(variant: str) -> tuple[str, ...]:
    """The keys that stand in a variant's path beyond its released model's and its name. variant:
    its name, or that of a model as it is."""
    return tuple(VARIANTS[variant].keys) if variant in VARIANTS else ()


def path(cell: Mapping[str, str]) -> str:
    """The folders of a variant: its released model's, its name and its own keys."""
    names = (*RELEASED, "variant", *own_keys(cell["variant"]))
    return keys.path({name: cell[name] for name in names})


def trained(cell: Mapping[str, str]) -> Cell:
    """The variant whose patch it is drawn with: itself, or another (`Variant.of`)."""
    name = cell["variant"] in VARIANTS and VARIANTS[cell["variant"]].of
    if not name:
        return dict(cell)
    held = (*RELEASED, *own_keys(name))
    return {key: cell[key] if key in held else NONE for key in cell} | {"variant": name}


def patch(cell: Mapping[str, str]) -> str:
    """The file that it is drawn with, below the folder of patches: without the key that says where
    in that file."""
    cell = unguarded(trained(cell))
    name = cell["variant"]
    names = (*RELEASED, "variant", *(k for k in own_keys(name) if k != VARIANTS[name].within))
    return f"{keys.path({key: cell[key] for key in names})}/patch.safetensors"


def costs(cell: Mapping[str, str]) -> str:
    """The file that says what its training spent, below the folder of costs."""
    return patch(cell).replace("patch.safetensors", "costs.parquet")


def named(name: str) -> Cell:
    """Every variant of that name: a wildcard for each key."""
    return {key: f"{{{key}}}" for key in KEYS} | {"variant": name}


def parsed(variant: str) -> Cell:
    """The keys of what stands in a path behind "variant=": "revived/detector=zeros/…"."""
    return keys.parsed(f"variant={variant}")


def released_of(cell: Mapping[str, str]) -> Cell:
    """The released model that a variant starts from; only a random defence has a seed there."""
    released = {key: cell[key] for key in RELEASED}
    if released["defence"] in FIXED:
        released["weight_seed"] = NONE
    return released


def unguarded(cell: Mapping[str, str]) -> Cell:
    """What a variant is made of: a guard changes no weight."""
    bare = {"defence": NONE, "sigma": NONE} if cell["defence"] in GUARDS else {}
    return {**cell, **bare}


def _spelled(value: Any) -> str:
    return keys.number(value) if isinstance(value, float) else str(value)


def _attacks(kind: str, settings: Any) -> Iterator[Cell]:
    """The keys of a variant, and of those that its settings ask for beside it, beyond its released
    model's. settings: has the lists of values that `Variant.keys` names."""
    for name in (kind, *VARIANTS[kind].also):
        own = VARIANTS[name].keys
        for values in product(*(getattr(settings, listed) for listed in own.values())):
            yield {"variant": name} | dict(zip(own, map(_spelled, values)))


def of_block(block: "Block", weight_seed: int, attacks: Mapping[str, Any]) -> Iterator[Cell]:
    """Every variant of one block of the sweep. attacks: the study's, by name."""
    asked = [(name, _settings(name, block)) for name in block.variants]
    asked += [(attacks[name].kind, attacks[name]) for name in block.attacks]
    seeds = map(str, block.weight_seeds or [weight_seed])
    for concept, eraser, defence, seed in product(
        block.concepts, block.erasers, block.defences, seeds
    ):
        bare = defence == NONE or defence in GUARDS
        for sigma in [NONE] if bare else map(keys.number, block.sigmas):
            drawn = NONE if defence in FIXED else seed
            values = (keys.slug(concept), eraser, defence, sigma, drawn)
            released = dict(zip(RELEASED, values))
            for attack in (cell for kind, some in asked for cell in _attacks(kind, some)):
                cell = PRETRAINED | released | attack
                yield cell | ({"weight_seed": seed} if is_random(cell) else {})


def _settings(name: str, block: "Block") -> Any:
    """What a block says of a variant; of one that it says nothing of, the defaults."""
    told = VARIANTS[name].settings
    return block if told is None or isinstance(block, told.held) else told.held()


def is_random(cell: Mapping[str, str]) -> bool:
    """Whether what is made of the released model is drawn."""
    told = VARIANTS[cell["variant"]].random
    return told is not None and told[1][cell[told[0]]].random


def of_sweep(
    blocks: Iterable["Block"], weight_seed: int, attacks: Mapping[str, Any] | None = None
) -> list[tuple[Cell, tuple[str, ...]]]:
    """Every variant of the study, once, in the order of the sweep, with the prompt sets that its
    blocks ask for; none means all."""
    found: dict[tuple[tuple[str, str], ...], tuple[str, ...]] = {}
    for block in blocks:
        for cell in of_block(block, weight_seed, attacks or {}):
            key, asked = tuple(cell.items()), tuple(block.prompts)
            before = found.get(key, asked)
            both = (*before, *asked) if before and asked else ()
            found[key] = tuple(dict.fromkeys(both))
    return [(dict(key), asked) for key, asked in found.items()]


def label(cell: Mapping[str, str]) -> str:
    """A variant's name for people: "pruned", "max K=0.6", "pruned, gaussian 1.0"; the eraser is
    named if it is not ConceptPrune as it is by default, and what is not known to be pruned is
    "erased"."""
    name = cell["variant"]
    if name in VARIANTS:
        told, own = VARIANTS[name].label, own_keys(name)
        name = told(cell) if told else " ".join([name, *(f"{key}={cell[key]}" for key in own)])
    if cell["eraser"] not in (NONE, "conceptprune"):
        prunes = cell["eraser"] in ERASERS and ERASERS[cell["eraser"]].holes
        name = "erased" if name == "pruned" and not prunes else name
        name += f", {cell['eraser']}"
    if cell["defence"] != NONE:
        name += f", {defended(cell)}"
    return name + drawn(cell["weight_seed"])


def defended(cell: Mapping[str, str]) -> str:
    """A defence and its strength, where it has one: "flip 1.0", "sld-strong"."""
    return cell["defence"] + ("" if cell["sigma"] == NONE else f" {cell['sigma']}")


def drawn(weight_seed: str) -> str:
    """The end of a label, for every draw but the first: ", draw 1"."""
    return "" if weight_seed in (NONE, "0") else f", draw {weight_seed}"
