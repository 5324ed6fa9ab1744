"""What an unlearner is given beside the network."""

from dataclasses import dataclass

import numpy as np
import torch
from regrowth.classify import NETWORKS
from regrowth.classify.data import Used
from regrowth.classify.split import number
from regrowth.classify.train import Taught


@dataclass
class Lesson:
    """late: the first parts of the names of the parameters that trimming may draw anew."""

    forget: Taught
    retain: Taught
    classes: int
    late: tuple[str, ...]
    draws: torch.Generator

    def is_late(self, parameter: str) -> bool:
        return parameter.split(".")[0] in self.late


def lesson(
    pictures: Used, parts: np.ndarray, network: str, augment: bool, device: str, seed: int
) -> Lesson:
    """parts: `split.split`'s, with something forgotten. network: a key of NETWORKS."""
    forget, retain = (
        taught(pictures, parts == part, device, augment) for part in ("forget", "retain")
    )
    draws = torch.Generator().manual_seed(number("unlearn", seed))
    return Lesson(forget, retain, pictures.classes, NETWORKS[network].late, draws)


def taught(pictures: Used, of: np.ndarray | slice, device: str, augment: bool = False) -> Taught:
    """The pictures so marked, in their own order."""
    images, labels = (torch.from_numpy(a[of]) for a in (pictures.images, pictures.labels))
    # convolutions sum otherwise in another layout, and are slower in the usual one
    images = images.to(device, memory_format=torch.channels_last)
    return Taught(images, labels.to(device), augment)
