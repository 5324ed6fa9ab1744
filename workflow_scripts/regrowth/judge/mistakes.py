"""What can be wrong with any judge's entry: its labels, its weights."""

from pathlib import Path

from regrowth.files import hub, tensors
from regrowth.judge import labels
from regrowth.judge.settings import Judge
from regrowth.models import disk, torchvision_weights

#: Where torchvision's own weights of ResNet-50 are, IMAGENET1K_V2.
RESNET = "https://download.pytorch.org/models/resnet50-11ad3fa6.pth"


def of_labels(judge: Judge, root: Path) -> tuple[dict[int, str], list[str]]:
    """What the outputs are called; or what is wrong with where that should stand."""
    if judge.model is None:
        return {}, [f"a judge of kind {judge.kind} needs a model"]
    if torchvision_weights.is_file(judge.model) and not (root / judge.model).is_file():
        told = f"{hub.nowhere(judge.model, root)}: torchvision's weights of ResNet-50, say {RESNET}"
        return {}, [told]
    try:
        return labels.labels_of(judge, root), []
    except (FileNotFoundError, ValueError) as error:
        return {}, [str(error)]


def of_weights(judge: Judge, root: Path) -> list[str]:
    """Whether a judge's directory holds its weights, as files that can be read."""
    if torchvision_weights.is_file(judge.model):
        return []
    try:
        found = disk.weights(hub.directory(judge.model, judge.revision, "config.json", root))
        if bad := [file for file in found if file.suffix not in (".safetensors", ".json")]:
            return [f"{bad[0]}: a judge's weights are wanted as .safetensors"]
        for file in (file for file in found if file.suffix == ".safetensors"):
            tensors.headers(file)
    except (OSError, ValueError) as error:
        return [str(error)]
    return []
