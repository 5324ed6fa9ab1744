"""Pictures and where models look: a row a model, a column a picture."""

from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from regrowth.show.figures import style  # noqa: F401


class Looked(NamedTuple):
    """maps: (n, height, width). taken: what each picture is taken for."""

    name: str
    maps: np.ndarray
    taken: list[str]


def gradcam(images: np.ndarray, titles: list[str], rows: list[Looked]) -> Figure:
    """images: (n, channels, height, width), 0 to 1. titles: of the columns. rows: the original's
    first, whose largest value of each picture is the end of that column's scale."""
    n = len(images)
    figure, axes = plt.subplots(
        len(rows), n, figsize=(1.1 * n, 1.35 * len(rows)), squeeze=False, layout="constrained"
    )
    most = np.maximum(rows[0].maps.reshape(n, -1).max(1), 1e-12)
    for row, looked in zip(axes, rows):
        row[0].set_ylabel(looked.name, fontsize=7)
        for i, axis in enumerate(row):
            grey = images[i].mean(0)
            heat = np.clip(looked.maps[i] / most[i], 0, 1)
            axis.imshow(grey, cmap="gray", vmin=0, vmax=1)
            axis.imshow(heat, cmap="inferno", alpha=0.7 * heat, vmin=0, vmax=1)
            axis.set_xlabel(looked.taken[i], fontsize=6)
            axis.set(xticks=[], yticks=[])
    for axis, title in zip(axes[0], titles):
        axis.set_title(title, fontsize=7)
    return figure
