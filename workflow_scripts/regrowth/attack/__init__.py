"""Attacks: what is made of a released model, by what the attacker knows. Oracles, for comparison,
know what no attacker does."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from regrowth.draw import GUARDS
from regrowth.kinds import Kind, Place

#: What an attacker may know, the easiest to come by first: the released weights; the words that the
#: concept is asked by, where something is made of them (all draw by them); pictures of other
#: things, like those that the model was trained on; a classifier that knows the concept, and is not
#: the one that judges; the model before it was erased; pictures of the concept; a judge, by whom
#: the best of several pictures is picked; the embedding that a guard steers away from. The truth is
#: known to an evaluation alone.
KNOWLEDGE = (
    *("weights", "prompts", "auxiliary", "classifier", "base", "concept", "judge", "guard"),
    "truth",
)


@dataclass(frozen=True)
class Detector:
    """Tells from weights (out, in) what was erased, by a score for each, higher for what looks so.

    share: whether the attacker says what share of all weights is taken; otherwise the score is the
    answer, bool.
    """

    score: Place
    share: bool = True


DETECTORS = Kind(
    "detector",
    {
        "zeros": Detector(Place("attack.detectors.zeros"), share=False),
        "smallest": Detector(Place("attack.detectors.smallest")),
        "row": Detector(Place("attack.detectors.row")),
        "column": Detector(Place("attack.detectors.column")),
        "residual": Detector(Place("attack.detectors.residual")),
        "combined": Detector(Place("attack.detectors.combined")),
    },
)


@dataclass(frozen=True)
class Magnitude:
    """take: (row, layer, n, rng) → n magnitudes, of what the row and its layer have kept.

    random: they are drawn, so the weight seed counts. signed: it is given the weights as they are,
    and the magnitude of what it returns is taken.
    """

    take: Place
    random: bool = False
    signed: bool = False


MAGNITUDES = Kind(
    "magnitude",
    {
        "max": Magnitude(Place("attack.magnitudes.largest")),
        "mean": Magnitude(Place("attack.magnitudes.mean")),
        "sample": Magnitude(Place("attack.magnitudes.sample"), random=True),
        "normal-sample": Magnitude(
            Place("attack.magnitudes.normal_sample"), random=True, signed=True
        ),
        "layer-sample": Magnitude(Place("attack.magnitudes.layer_sample"), random=True),
    },
)


@dataclass(frozen=True)
class Oracle:
    """magnitude: how what is not the pretrained model's is taken from the unpruned weights. told:
    what of it is the pretrained model's, then what is not."""

    magnitude: str
    told: str
    random: bool = False


ORACLES = Kind(
    "oracle",
    {
        "pretrained": Oracle("sample", told="magnitudes, sampled signs", random=True),
        "sample": Oracle("sample", told="signs, sampled magnitudes", random=True),
        "mean": Oracle("mean", told="signs, mean"),
        "max": Oracle("max", told="signs, max"),
    },
)


#: 4-bit baselines: weights (out, in) → float32 (out, in).
ROUNDINGS = Kind(
    "rounding",
    {"quant4": Place("attack.quantise.quant4"), "nf4": Place("attack.quantise.nf4")},
)


@dataclass(frozen=True)
class Lesson:
    """Pictures that an attacker trains the released model on. needs: of KNOWLEDGE, beside the
    weights. told: in a label. made: (pipeline, those that are given, steps, guidance, batch) →
    those that are trained on, where these are others."""

    needs: frozenset[str]
    told: str
    made: Place | None = None


#: Own: pictures that the released model itself draws, of other things. The others are drawn by the
#: pretrained model, in the place of pictures that an attacker would find.
LESSONS = Kind(
    "data",
    {
        "own": Lesson(frozenset(), "its own pictures"),
        "auxiliary": Lesson(frozenset({"auxiliary"}), "others' pictures"),
        "concept": Lesson(frozenset({"prompts", "concept"}), "the concept's pictures"),
        "slerp": Lesson(
            frozenset({"prompts", "concept"}),
            "what lies between few of the concept's pictures",
            made=Place("learn.memora.between"),
        ),
    },
)


@dataclass(frozen=True)
class Tuning:
    """Which of the UNet's weights an attacker trains. recipe: of `learn.recipes.PARAMETERS`. rank:
    of two matrices that are trained in the place of each (LoRA); 0: the weights themselves."""

    parameters: str
    rank: int = 0


TUNINGS = Kind("parameters", {"all": Tuning("all"), "lora4": Tuning("lora", rank=4)})


@dataclass(frozen=True)
class Variant:
    """What is made of a released model and drawn.

    needs: of KNOWLEDGE, what its maker is given; more: the key of a method that needs more, and the
    table that tells. settings: what a study says of it; keys: what of that the sweep varies, in the
    path's order, with the setting that lists the values. random: the key that says whether it is
    drawn, and the table that tells. patch: it is a file of weights that replace released ones;
    within: the key that says where in that file, which has all the others in its path. of: the
    variant whose patch it is drawn with, by all keys of that one. sampled: (pipeline, keys, what it
    is given beside) → what pictures of the concept are drawn by, where nothing is made; led: what
    makes a judge one that it is given. holes: it
    completes what is missing, and is made of nothing else. counted: among the attacks that a
    verdict speaks of, those from the weights alone that train nothing. picked: who tries it may let
    a judge pick the best of several pictures, which it is then counted by as well. also: the
    variants that its settings ask for beside it.
    """

    needs: frozenset[str] = frozenset({"weights"})
    more: tuple[str, Kind] | None = None
    settings: Place | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    random: tuple[str, Kind] | None = None
    patch: bool = False
    within: str = ""
    of: str = ""
    sampled: Place | None = None
    led: Place | None = None
    holes: bool = False
    counted: bool = False
    picked: bool = False
    label: Place | None = None
    also: tuple[str, ...] = ()


_RELEARNT = {"data": "data", "parameters": "parameters", "lr": "lr"}
_REVIVED = {"detector": "detectors", "solver": "solvers", "K": "K", "magnitude": "magnitudes"}
VARIANTS = Kind(
    "variant",
    {
        "pruned": Variant(picked=True),
        **{name: Variant() for name in ROUNDINGS},
        "revived": Variant(
            settings=Place("attack.settings.Revival"),
            keys=_REVIVED,
            random=("magnitude", MAGNITUDES),
            patch=True,
            holes=True,
            counted=True,
            label=Place("attack.settings.revived"),
            also=("alone",),
        ),
        "alone": Variant(
            settings=Place("attack.settings.Revival"),
            keys=_REVIVED | {"layer_alone": "layers_alone"},
            random=("magnitude", MAGNITUDES),
            patch=True,
            holes=True,
            label=Place("attack.settings.alone"),
        ),
        "blind": Variant(
            settings=Place("attack.settings.Blind"),
            keys={"detector": "detectors"},
            patch=True,
            holes=True,
            counted=True,
            label=Place("attack.settings.blind"),
        ),
        "oracle": Variant(
            needs=frozenset({"weights", "truth"}),
            settings=Place("attack.settings.Comparison"),
            keys={"magnitude": "oracles"},
            random=("magnitude", ORACLES),
            patch=True,
            holes=True,
            label=Place("attack.settings.oracle"),
        ),
        "noised": Variant(
            settings=Place("attack.settings.Noised"),
            keys={"noise": "noises"},
            sampled=Place("attack.latent.noised"),
            label=Place("attack.settings.noised"),
        ),
        "guided": Variant(
            needs=frozenset({"weights", "prompts", "classifier"}),
            settings=Place("attack.settings.Guided"),
            keys={"by": "by", "scale": "scales"},
            sampled=Place("attack.latent.guided"),
            led=Place("judge.steering.likely"),
            label=Place("attack.settings.guided"),
        ),
        "completed": Variant(
            needs=frozenset({"weights", "concept"}),
            settings=Place("attack.settings.Completed"),
            keys={"strength": "strengths"},
            sampled=Place("attack.latent.completed"),
            label=Place("attack.settings.completed"),
        ),
        "relearn": Variant(
            more=("data", LESSONS),
            settings=Place("attack.settings.Relearn"),
            keys=_RELEARNT | {"step": "at"},
            patch=True,
            within="step",
            label=Place("attack.settings.relearn"),
        ),
        "autoguided": Variant(
            more=("data", LESSONS),
            settings=Place("attack.settings.Autoguided"),
            keys=_RELEARNT | {"weight": "weights", "step": "at"},
            patch=True,
            within="step",
            of="relearn",
            label=Place("attack.settings.autoguided"),
        ),
        "derived": Variant(
            needs=frozenset({"weights", "prompts", "base"}),
            patch=True,
            label=Place("attack.settings.derived"),
        ),
        "inversion": Variant(
            needs=frozenset({"weights", "prompts", "concept"}),
            settings=Place("attack.settings.Inversion"),
            keys={"lr": "lr", "step": "at"},
            patch=True,
            within="step",
            label=Place("attack.settings.inversion"),
        ),
        "prefix": Variant(
            needs=frozenset({"weights", "prompts", "concept"}),
            settings=Place("attack.settings.Prefix"),
            keys={"tokens": "tokens", "lr": "lr", "step": "at"},
            patch=True,
            within="step",
            picked=True,
            label=Place("attack.settings.prefix"),
            also=("random-prefix",),
        ),
        "random-prefix": Variant(
            needs=frozenset({"weights", "prompts"}),
            settings=Place("attack.settings.Prefix"),
            keys={"tokens": "tokens"},
            patch=True,
            picked=True,
            label=Place("attack.settings.random_prefix"),
        ),
        "evasion": Variant(
            needs=frozenset({"weights", "prompts", "concept"}),
            more=("through", GUARDS),
            settings=Place("attack.settings.Evasion"),
            keys={"through": "through", "lr": "lr", "step": "at"},
            patch=True,
            within="step",
            label=Place("attack.settings.evasion"),
        ),
    },
)


def needed(cell: Mapping[str, str]) -> frozenset[str]:
    """Of KNOWLEDGE, what the maker of a variant is given. cell: its keys."""
    variant = VARIANTS[cell["variant"]]
    if variant.more is None:
        return variant.needs
    key, table = variant.more
    return variant.needs | table[cell[key]].needs


#: Those that a study asks for by name; the others come with them.
ASKED = tuple(name for name in VARIANTS if not any(name in v.also for v in VARIANTS.values()))
