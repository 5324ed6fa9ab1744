"""What an audit is asked for, on the command line, and what it is refused for."""

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regrowth.attack import VARIANTS
from regrowth.audit import reading
from regrowth.audit.taken import Taken, changed
from regrowth.files import hub, keys
from regrowth.judge import JUDGES
from regrowth.models import disk
from regrowth.run import refusals
from regrowth.run.refusals import Refused
from regrowth.study import checks, own
from regrowth.study.catalogue import Catalogue, concepts_of
from regrowth.study.load import load_study
from regrowth.study.young import names_young

#: What `--config` says of an audit.
KEYS = ("checkpoint", "concept", "base", "pictures", "stop", "prompts", "judge")
ASK = (
    "snakemake audit --config checkpoint=FILE concept=NAME [base=MODEL] [pictures=N [stop=1] "
    "[prompts=TEXT judge=NAME]]"
)
#: What a study of a checkpoint keeps of the study that stands beside the audit.
KEPT = ("model", "catalogue", "local", "baselines", "sampler", "layers_per_job")
#: Models that never knew a concept, by the name of the model's card whose control they are: as a
#: study's baselines.
CONTROLS: dict[str, dict[str, Any]] = {
    "regrowth-demo": {
        "retrained": {
            "model": "resources/demo/retrained.yaml",
            "concepts": ["church", "Pablo Picasso"],
        }
    }
}
#: Steps of who trains it on its own pictures.
STEPS = 100
#: Bytes that a card takes with its logs.
LEAST = 5_000_000
NO, YES = ("", "0", "False"), ("1", "True")


@dataclass(frozen=True)
class Audit:
    """checkpoint, base: as they were given, paths or, of a directory, hub ids. pictures: of the
    concept to draw for each variant, "" or a number. stop: of YES, to attack no more once it is
    back. prompts, judge: of a concept that the catalogue has not, as `own.catalogue` takes them."""

    checkpoint: str = ""
    concept: str = ""
    base: str = ""
    pictures: str = ""
    stop: str = ""
    prompts: str = ""
    judge: str = ""

    @property
    def name(self) -> str:
        return keys.slug(Path(self.checkpoint).stem) or keys.NONE

    @property
    def out(self) -> Path:
        """A folder for each file and concept."""
        return Path("results/audits", self.name, f"concept={keys.slug(self.concept) or keys.NONE}")

    @property
    def catalogue(self) -> Path:
        """Where the catalogue of a concept of one's own is written."""
        return self.out.resolve() / "catalogue.yaml"

    def stamps(self, *named: str) -> list[list]:
        """Of each file that is read, or of those named, its name, size and time: what is made anew
        when it changes. Nothing where it cannot be read, which is said before any job."""
        try:
            places = [place(one) for one in named or (self.checkpoint, self.base) if one]
            files = [f for one in places for f in ([one] if one.is_file() else one.rglob("*"))]
            stats = [(file, file.stat()) for file in sorted(files) if file.is_file()]
        except OSError:
            return []
        return [[str(file), stat.st_size, stat.st_mtime_ns] for file, stat in stats]


def asked(config: dict) -> Audit:
    """What the command line asks for, taken out of the study."""
    return Audit(**{key: str(config.pop(key)) for key in KEYS if key in config})


def place(path: str) -> Path:
    """Where a checkpoint lies. Raises FileNotFoundError as `hub.directory` does."""
    local = Path(hub.expanded(path))
    return local if local.exists() else hub.directory(path, None, "model_index.json", Path.cwd())


def model(audit: Audit, other: Path) -> Path:
    """The model that a checkpoint is held to: its base, if that is a pipeline's directory."""
    base = place(audit.base) if audit.base else other
    return base.resolve() if (base / "model_index.json").is_file() else other


def opened(audit: Audit) -> tuple[reading.Checkpoint, reading.Checkpoint | None]:
    """The checkpoint and its base. Raises as `place` and `reading.opened` do."""
    base = reading.opened(place(audit.base)) if audit.base else None
    return reading.opened(place(audit.checkpoint), base), base


def is_asked(targets: set[str]) -> bool:
    """Whether a run is to audit: by the rule's name, or one of its files."""
    return any(target == "audit" or target.startswith("results/audits/") for target in targets)


def summary(audit: Audit) -> str:
    """What an audit found, for the terminal."""
    told = json.loads((audit.out / "audit.json").read_text(encoding="utf-8"))
    found = f"{told['done']['kind']}: {told['done']['why']}"
    concluded = f"{told['verdict']['word']}: {told['verdict']['rule']}"
    return f"\n{audit.checkpoint}\n{found}.\n{concluded}.\n\nReport: {audit.out}/audit.html\n"


def catalogue(audit: Audit, beside: Catalogue, root: Path) -> Catalogue:
    """What a checkpoint is drawn and judged by. Raises as `own.catalogue` does."""
    if not audit.prompts:
        return beside
    said = audit.concept, audit.prompts, audit.judge, int(audit.pictures)
    return own.catalogue(beside, *said, root)


def study(
    audit: Audit,
    beside: dict,
    catalogue: Catalogue,
    card: str,
    taken: Taken,
    attacks: Sequence[str],
    root: Path,
) -> dict:
    """The study that draws a checkpoint: with the model, prompts and sampler of the study that
    stands beside the audit, and those of the catalogue's judges that count pictures. card: the
    model's name, in whose place a base that is a pipeline's directory is taken. taken: how the
    checkpoint is. attacks: of `verdict.ATTACKS`. Each of `controls` is drawn."""
    block: dict[str, Any] = {
        "concepts": [audit.concept],
        "erasers": [taken.eraser],
        "variants": ["pruned", *(name for name in attacks if name in VARIANTS)],
        "attacks": [name for name in attacks if name not in VARIANTS],
        "detectors": [taken.detector],
    }
    block |= {"K": [0.6], "magnitudes": ["max"]} if "revived" in attacks else {}
    beside = beside | {"baselines": controls(audit, beside, card, root)}
    counted = ("accuracy", "detections")
    judges = [n for n, judge in catalogue.judges.items() if JUDGES[judge.kind].feeds in counted]
    kept = {key: beside[key] for key in KEPT if beside.get(key)}
    if audit.prompts:  # its judges are where the study beside it has them already
        of_model = {name: at for name, at in kept.get("local", {}).items() if name == card}
        kept |= {"catalogue": str(audit.catalogue), "local": of_model}
    if (base := model(audit, Path())) != Path():
        kept["local"] = kept.get("local", {}) | {card: str(base)}
    return kept | {
        "study": f"audit-{audit.name}-{keys.slug(audit.concept)}",
        "judges": judges,
        "judges_per_job": len(judges),
        "signs": {"solvers": ["nuclear"]},
        "images": {"erased": int(audit.pictures), "preserved": 1},
        "layers": taken.family,
        "erasers": {taken.eraser: {audit.concept: str(taken.file.resolve())}},
        "attacks": {"own": {"kind": "relearn", "data": ["own"], "at": [STEPS]}},
        "sweep": [block],
    }


def controls(audit: Audit, beside: dict, card: str, root: Path) -> dict[str, Any]:
    """Baselines that never knew the concept, as a study says them: those of the study that stands
    beside the audit, and the bundled model's own where no other base is said."""
    bundled = (root / "resources/demo/model").resolve()
    own = CONTROLS.get(card, {}) if model(audit, bundled) == bundled else {}
    every = own | {name: dict(one) for name, one in beside.get("baselines", {}).items()}
    return {
        name: {"model": one["model"], "concepts": [audit.concept]}
        for name, one in every.items()
        if keys.slug(audit.concept) in map(keys.slug, one["concepts"])
    }


def refuse(audit: Audit, targets: set[str], beside: dict, root: Path) -> None:
    """Raises Refused if a checkpoint cannot be audited: before any job, and before anything is
    written. Where no audit is asked for, nothing may be said of one.

    beside: the study that stands beside it, whose catalogue has to know what is to be drawn.
    """
    if not is_asked(targets):
        if audit != Audit():
            raise Refused(f"checkpoint=, concept= and base= are an audit's: `{ASK}`")
        return
    if not audit.checkpoint or not audit.concept:
        lacking = "concept" if audit.checkpoint else "checkpoint"
        raise Refused(f"{lacking}= is not said; an audit is asked for by `{ASK}`")
    if told := _mistake(audit):
        raise Refused(told)
    refusals.read_only(audit.out)
    try:
        given, base = opened(audit)
        for one in filter(None, (base, given)):
            reading.check(one)
        _room(audit, one)
        if audit.pictures:
            _drawable(audit, given, beside, root)
    except (OSError, ValueError) as error:
        raise Refused(" ".join(str(error).split())) from None


def _room(audit: Audit, given: reading.Checkpoint) -> None:
    """Raises OSError if there is no room for what is written at least."""
    folder = next(f for f in (audit.out, *audit.out.parents) if f.exists())
    weights = sum(math.prod(tensor.shape) for tensor in given.tensors.values())
    wanted = LEAST + (4 * weights if audit.pictures else 0)
    if (free := shutil.disk_usage(folder).free) < wanted:
        raise OSError(
            f"no space left: {folder.resolve()} has {free / 1e6:.0f} MB, and at least "
            f"{wanted / 1e6:.0f} are wanted"
        )


def _mistake(audit: Audit) -> str:
    """What is wrong with what is said, apart from what lies behind it; "" if nothing."""
    if names_young(audit.concept):
        return f"concept=: {audit.concept!r} {checks.YOUNG}"
    if audit.pictures and not (audit.pictures.isdigit() and int(audit.pictures)):
        return f"pictures= is a number of pictures, not {audit.pictures!r}"
    if audit.stop not in (*NO, *YES):
        return f"stop= is 1, or nothing, not {audit.stop!r}"
    if bool(audit.prompts) != bool(audit.judge):
        given, lacking = ("prompts", "judge") if audit.prompts else ("judge", "prompts")
        return f"{given}= is said, and {lacking}= is not: a concept of your own needs both"
    if not audit.pictures and (audit.prompts or audit.stop in YES):
        return "pictures= is not said, how many to draw for each attack: pictures=48, say"
    return ""


def _drawable(audit: Audit, given: reading.Checkpoint, beside: dict, root: Path) -> None:
    """Raises ValueError or OSError if nothing can be drawn of the concept, or nothing is erased."""
    _, known, card = load_study(beside, root)
    if audit.prompts:
        catalogue(audit, known, root)
    elif keys.slug(audit.concept) not in concepts_of(known):
        raise ValueError(
            f"nothing can be drawn of {audit.concept!r}: the study's catalogue has neither prompts "
            f"nor a judge of it (it knows {', '.join(concepts_of(known))}), and prompts= and "
            f"judge= are not said"
        )
    else:
        file = Taken(place(audit.checkpoint), "model", card.layers)
        load_study(study(audit, beside, known, card.name, file, (), root), root)
    _other(audit, given, model(audit, disk.locate(card, root)))


def _other(audit: Audit, given: reading.Checkpoint, folder: Path) -> None:
    """Raises ValueError if a checkpoint is the model that it would be drawn beside."""
    if not changed(given, disk.stored(folder)):
        raise ValueError(
            f"{audit.checkpoint} has every weight of {folder} as it is: nothing was erased, and no "
            f"picture would be another. Without pictures= its card says that"
        )
