"""Classifier: the class that it takes a picture for."""

from pathlib import Path

from regrowth.judge import labels
from regrowth.judge import mistakes as wrong
from regrowth.judge.settings import Judge
from regrowth.models import torchvision_weights


def score(judge: Judge, root: Path, images, rows, device: str):
    """The top class and its probability."""
    from regrowth.judge.networks import probabilities, row

    p, names = probabilities(judge, root, images, device)
    best = p.argmax(1)
    return [row(i, names[int(b)], p[i, b]) for i, b in enumerate(best)]


def mistakes(judge: Judge, root: Path) -> list[str]:
    names, told = wrong.of_labels(judge, root)
    if not told and judge.classes:
        told = _table_mistakes(judge, names, root)
    return told or wrong.of_weights(judge, root)


def _table_mistakes(judge: Judge, names: dict[int, str], root: Path) -> list[str]:
    """Whether each output has one of the names that the table gives it; one without a name of its
    own (torchvision's weights carry none) has whatever the table says."""
    try:
        table = labels.classes(root / (judge.classes or ""))
    except (OSError, ValueError) as error:
        return [str(error)]
    out = []
    for concept, (index, known) in table.items():
        told = names.get(index, "nothing")
        if torchvision_weights.is_file(judge.model) and index in names:
            continue
        if not {told.lower(), *(n.strip() for n in told.lower().split(","))} & set(known):
            out.append(f"output {index} is {told!r}, {judge.classes} wants {concept!r} there")
    return out
