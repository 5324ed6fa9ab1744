"""What an audit is asked for, on the command line, and what it is refused for."""

from dataclasses import dataclass
from pathlib import Path

from regrowth.audit import reading
from regrowth.files import hub, keys
from regrowth.run.refusals import Refused

#: What `--config` says of an audit.
KEYS = ("checkpoint", "concept", "base")
ASK = "snakemake audit --config checkpoint=FILE concept=NAME [base=MODEL]"


@dataclass(frozen=True)
class Audit:
    """checkpoint, base: as they were given, paths or, of a directory, hub ids."""

    checkpoint: str = ""
    concept: str = ""
    base: str = ""

    @property
    def out(self) -> Path:
        """A folder for each file and concept."""
        name = keys.slug(Path(self.checkpoint).stem) or keys.NONE
        return Path("results/audits", name, f"concept={keys.slug(self.concept) or keys.NONE}")

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
    if "checkpoint" not in config:
        return Audit()
    return Audit(**{key: str(config.pop(key)) for key in KEYS if key in config})


def place(path: str) -> Path:
    """Where a checkpoint lies. Raises FileNotFoundError as `hub.directory` does."""
    local = Path(hub.expanded(path))
    return local if local.exists() else hub.directory(path, None, "model_index.json", Path.cwd())


def opened(audit: Audit) -> tuple[reading.Checkpoint, reading.Checkpoint | None]:
    """The checkpoint and its base. Raises as `place` and `reading.opened` do."""
    base = reading.opened(place(audit.base)) if audit.base else None
    return reading.opened(place(audit.checkpoint), base), base


def refuse(audit: Audit) -> None:
    """Raises Refused, with one line, if a checkpoint cannot be audited: before any job, and before
    anything is written."""
    if not audit.checkpoint or not audit.concept:
        lacking = "concept" if audit.checkpoint else "checkpoint"
        raise Refused(f"{lacking}= is not said; an audit is asked for by `{ASK}`")
    try:
        reading.check(opened(audit)[0])
    except (OSError, ValueError) as error:
        raise Refused(str(error)) from None
