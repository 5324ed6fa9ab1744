"""What a classifier's outputs are called: what every score of it names its pictures by."""

import json
from functools import lru_cache
from pathlib import Path

from regrowth.files import hub, keys, tables
from regrowth.judge.settings import Judge
from regrowth.models import torchvision_weights


def labels_of(judge: Judge, root: Path) -> dict[int, str]:
    """What the model directory calls its outputs; those of torchvision's weights are numbers."""
    if torchvision_weights.is_file(judge.model):
        return {i: str(i) for i in range(torchvision_weights.outputs(root / judge.model))}
    folder = hub.directory(judge.model, judge.revision, "config.json", root)
    told = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("id2label", {})
    return {int(index): label for index, label in told.items()}


def outputs(judge: Judge, root: Path) -> dict[int, str]:
    """What a classifier's outputs are called here: the table's names go before the model's, and
    are taken at their word where the model is a file of torchvision's weights."""
    table = classes(root / judge.classes) if judge.classes else {}
    return labels_of(judge, root) | {index: concept for concept, (index, _) in table.items()}


@lru_cache
def classes(file: Path) -> dict[str, tuple[int, list[str]]]:
    """A classifier's outputs: concept → (index, names it may have). Columns: concept, index, names
    ("|" between names). Raises OSError or ValueError."""
    if not file.is_file():
        raise FileNotFoundError(f"no file {file}")
    header, rows = tables.read(file)
    if header != ["concept", "index", "names"]:
        raise ValueError(f"{file}: columns concept, index, names are wanted; it has {header}")
    out = {}
    for number, (concept, index, names) in rows:
        if not str(index).isdigit():
            raise ValueError(f"{file}: row {number}: {index!r} is no index of an output")
        out[keys.named(concept)] = (int(index), str(names).split("|"))
    return out
