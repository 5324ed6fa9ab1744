"""Pictures with classes for tests: coloured squares, discs and crosses, as MNIST's files are."""

import gzip
from pathlib import Path

import numpy as np

SIZE = 16


def write_idx(folder: Path, images, labels, train: int, zipped: bool = True) -> None:
    """The first `train` pictures are for training. A file is two zeros, the type (8: bytes), how
    many dimensions, their sizes, and the values."""
    folder.mkdir(exist_ok=True)
    for part, some in (("train", slice(train)), ("t10k", slice(train, None))):
        for what, array in (("images", images[some]), ("labels", labels[some])):
            head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            held = head + array.astype(np.uint8).tobytes()
            name = f"{part}-{what}-idx{array.ndim}-ubyte"
            (folder / (name + ".gz" * zipped)).write_bytes(gzip.compress(held) if zipped else held)


def shapes(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, height, width, 3), and which shape each is."""
    draws = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    y, x = np.mgrid[:SIZE, :SIZE]
    images = draws.integers(80, size=(n, SIZE, SIZE, 3))
    for image, label in zip(images, labels):
        dy, dx = np.abs(y - draws.integers(5, 11)), np.abs(x - draws.integers(5, 11))
        inside = (
            (dy <= 3) & (dx <= 3),
            dy**2 + dx**2 <= 16,
            ((dy <= 1) & (dx <= 5)) | ((dx <= 1) & (dy <= 5)),
        )[label]
        image[inside] = draws.integers(120, 256, size=3)
    return images, labels
