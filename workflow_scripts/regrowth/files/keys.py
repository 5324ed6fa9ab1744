"""What names a cell of the sweep: the keys, their one order and their one spelling."""

import re
import unicodedata
from decimal import Decimal
from functools import lru_cache
from itertools import product

NONE = "none"

#: The keys that name a released model: what the attacker is given.
RELEASED = ("concept", "eraser", "defence", "sigma", "weight_seed")
#: The keys that name a variant, in path order. A key that does not apply is "none".
VARIANT = (*RELEASED, "variant", "detector", "solver", "K", "magnitude")

PRETRAINED = dict.fromkeys(VARIANT, NONE) | {"variant": "pretrained"}
#: Released models that are drawn at random from nothing.
FIXED = (NONE, "decoy")
#: Magnitudes that are drawn at random, and so depend on the weight seed; an oracle's "pretrained"
#: draws its signs.
DRAWN = ("sample", "normal-sample", "layer-sample", "pretrained")

#: What a variant is called that is revived in one layer alone.
ALONE = r"layer\d\d+"

#: What the oracles are called: what of them is the pretrained model's, then what is not.
ORACLES = {
    "pretrained": "oracle: magnitudes, sampled signs",
    "sample": "oracle: signs, sampled magnitudes",
    "mean": "oracle: signs, mean",
    "max": "oracle: signs, max",
}


#: Words that stand for something else where a concept's name or a set's can stand.
RESERVED = (NONE, "erased", "preserved", "study")


def named(name: str) -> str:
    """A name as it is compared: composed letters (NFC), one blank between words, none around."""
    return " ".join(unicodedata.normalize("NFC", name).split())


@lru_cache
def slug(name: str) -> str:
    """A concept's name as it stands in paths: lower case, words joined by "-", accents left out.

    Letters beyond a to z are written as in domain names (punycode): "教会" is "xn-pssy8f".
    """
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    text = unicodedata.normalize("NFKC", re.sub("(?<=[a-z])[\u0300-\u036f]+", "", text))
    words = re.sub(r"[\W_]+", "-", text).strip("-")
    return words if words.isascii() else "xn-" + words.encode("punycode").decode()


def number(value: float) -> str:
    """The one spelling of a K or a sigma, the shortest that is this number and no other: "0.6",
    "1.0", "0.0000005"."""
    text = format(Decimal(repr(float(value))), "f")
    return text if "." in text else f"{text}.0"


def variants_of(block, weight_seed: int) -> list[dict[str, str]]:
    """Every variant of one block of the sweep (`config.Block`), as key → value."""
    cells = []
    seeds = map(str, block.weight_seeds or [weight_seed])
    for concept, eraser, defence, seed in product(
        block.concepts, block.erasers, block.defences, seeds
    ):
        for sigma in [None] if defence == NONE else block.sigmas:
            released = {
                "concept": slug(concept),
                "eraser": eraser,
                "defence": defence,
                "sigma": NONE if sigma is None else number(sigma),
                "weight_seed": NONE if defence in FIXED else seed,
            }
            for variant in block.variants:
                for attack in _attacks(block, variant):
                    cell = PRETRAINED | released | {"variant": variant} | attack
                    if cell["magnitude"] in DRAWN:
                        cell["weight_seed"] = seed
                    cells.append(cell)
    return cells


def _attacks(block, variant: str) -> list[dict[str, str]]:
    """The keys that a variant has beyond its released model's."""
    if variant == "oracle":
        return [{"magnitude": kind} for kind in block.oracles]
    if variant != "revived":
        return [{}]
    names = ("variant", "detector", "solver", "K", "magnitude")
    where = [variant, *map(alone, block.layers_alone)]
    values = product(where, block.detectors, block.solvers, map(number, block.K), block.magnitudes)
    return [dict(zip(names, some)) for some in values]


def alone(layer: int) -> str:
    """What a variant is called that is revived in one layer alone, by its number: "layer07"."""
    return f"layer{layer:02d}"


def layer_of(variant: str) -> int:
    """The number of the one layer that is revived: 7 of "layer07"."""
    return int(variant.removeprefix("layer"))


def kind(variant: str) -> str:
    """A variant's name, or "alone" for any that is revived in one layer alone."""
    return "alone" if re.fullmatch(ALONE, variant) else variant


def variants(sweep, weight_seed: int) -> list[tuple[dict[str, str], tuple[str, ...]]]:
    """Every variant of the study, once, in the order of the sweep, with the prompt sets that its
    blocks ask for; none means all."""
    found: dict[tuple, tuple] = {}
    for block in sweep:
        for cell in variants_of(block, weight_seed):
            key, asked = tuple(cell.items()), tuple(block.prompts)
            before = found.get(key, asked)
            both = (*before, *asked) if before and asked else ()
            found[key] = tuple(dict.fromkeys(both))
    return [(dict(key), asked) for key, asked in found.items()]


def released_of(variant: dict[str, str]) -> dict[str, str]:
    """The released model that a variant starts from; only a random defence has a seed there."""
    released = {key: variant[key] for key in RELEASED}
    if released["defence"] in FIXED:
        released["weight_seed"] = NONE
    return released


def path(keys: dict[str, str]) -> str:
    """Hive folders: concept=church/eraser=conceptprune/…"""
    return "/".join(f"{key}={value}" for key, value in keys.items())


def pattern(names) -> str:
    """The same folders as a Snakemake pattern: concept={concept}/eraser={eraser}/…"""
    return "/".join(f"{name}={{{name}}}" for name in names)


def label(variant: dict[str, str]) -> str:
    """A variant's name for people: "pruned", "max K=0.6", "pruned, gaussian 1.0"; the eraser is
    named if it is not ConceptPrune."""
    name = variant["variant"]
    if name == "oracle":
        name = ORACLES[variant["magnitude"]]
    if kind(name) in ("revived", "alone"):
        name = f"{variant['magnitude']} K={variant['K']}"
        if variant["solver"] != "nuclear":
            name += f" ({variant['solver']})"
        if variant["detector"] not in ("zeros", NONE):
            name += f" at {variant['detector']}"
        if variant["variant"] != "revived":
            name += f", layer {layer_of(variant['variant'])} alone"
    if variant["eraser"] not in (NONE, "conceptprune"):
        name += f", {variant['eraser']}"
    if variant["defence"] != NONE:
        name += f", {variant['defence']} {variant['sigma']}"
    return name + drawn(variant["weight_seed"])


def drawn(weight_seed: str) -> str:
    """The end of a label, for every draw but the first: ", draw 1"."""
    return "" if weight_seed in (NONE, "0") else f", draw {weight_seed}"
