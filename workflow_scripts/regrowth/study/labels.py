"""What a classifier's outputs are called: what every score of it names its pictures by."""

import json
from pathlib import Path

from regrowth.files import hub
from regrowth.models import torchvision_weights
from regrowth.study import prompt_tables
from regrowth.study.catalogue import Judge


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
    table = prompt_tables.classes(root / judge.classes) if judge.classes else {}
    return labels_of(judge, root) | {index: concept for concept, (index, _) in table.items()}
