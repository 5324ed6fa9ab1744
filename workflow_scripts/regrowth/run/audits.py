"""What an audit is asked for, on the command line, and what it is refused for."""

import json
from dataclasses import dataclass
from pathlib import Path

from regrowth.audit import reading
from regrowth.files import hub, keys
from regrowth.judge import JUDGES
from regrowth.run.refusals import Refused
from regrowth.study.catalogue import Catalogue, concepts_of
from regrowth.study.load import load_study

#: What `--config` says of an audit.
KEYS = ("checkpoint", "concept", "base", "pictures")
ASK = "snakemake audit --config checkpoint=FILE concept=NAME [base=MODEL] [pictures=N]"
#: What a study of a checkpoint keeps of the study that stands beside the audit.
KEPT = ("model", "catalogue", "local", "layers", "sampler", "layers_per_job")


@dataclass(frozen=True)
class Audit:
    """checkpoint, base: as they were given, paths or, of a directory, hub ids. pictures: of the
    concept to draw for each variant, "" or a number."""

    checkpoint: str = ""
    concept: str = ""
    base: str = ""
    pictures: str = ""

    @property
    def name(self) -> str:
        return keys.slug(Path(self.checkpoint).stem) or keys.NONE

    @property
    def out(self) -> Path:
        """A folder for each file and concept."""
        return Path("results/audits", self.name, f"concept={keys.slug(self.concept) or keys.NONE}")

    def stamps(self) -> list[list]:
        """Of each file that is read its name, size and time: what is made anew when it changes.
        Nothing where it cannot be read, which is said before any job."""
        try:
            places = [place(one) for one in (self.checkpoint, self.base) if one]
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


def study(
    audit: Audit, beside: dict, catalogue: Catalogue, model: str, eraser: str, file: Path
) -> dict:
    """The study that draws a checkpoint: with the model, prompts and sampler of the study that
    stands beside the audit, and those of its catalogue's judges that count pictures. model: its
    card's name, in whose place a base that is a pipeline's directory is taken. eraser: "checkpoint"
    if its holes can be attacked, else "model". file: its UNet in diffusers' layout."""
    attacks = {"variants": ["pruned", "blind", "revived"], "K": [0.6], "magnitudes": ["max"]}
    block = attacks if eraser == "checkpoint" else {"variants": ["pruned"]}
    counted = ("accuracy", "detections")
    judges = [n for n, judge in catalogue.judges.items() if JUDGES[judge.kind].feeds in counted]
    own = {key: beside[key] for key in KEPT if beside.get(key)}
    if audit.base and (place(audit.base) / "model_index.json").is_file():
        own["local"] = own.get("local", {}) | {model: str(place(audit.base).resolve())}
    return own | {
        "study": f"audit-{audit.name}-{keys.slug(audit.concept)}",
        "judges": judges,
        "judges_per_job": len(judges),
        "signs": {"solvers": ["nuclear"]},
        "images": {"erased": int(audit.pictures), "preserved": 1},
        "erasers": {eraser: {audit.concept: str(file.resolve())}},
        "sweep": [{"concepts": [audit.concept], "erasers": [eraser]} | block],
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
    if audit.pictures and not (audit.pictures.isdigit() and int(audit.pictures)):
        raise Refused(f"pictures= is a number of pictures, not {audit.pictures!r}")
    try:
        reading.check(opened(audit)[0])
        if audit.pictures:
            _, catalogue, card = load_study(beside, root)
            known, file = concepts_of(catalogue), place(audit.checkpoint)
            if keys.slug(audit.concept) not in known:
                raise ValueError(
                    f"nothing can be drawn of {audit.concept!r}: the study's catalogue has neither "
                    f"prompts nor a judge of it; it knows {', '.join(known)}"
                )
            load_study(study(audit, beside, catalogue, card.name, "model", file), root)
    except (OSError, ValueError) as error:
        raise Refused(str(error)) from None
