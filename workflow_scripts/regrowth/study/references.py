"""What FID compares with: a folder of pictures, or their mean and covariance in a file (.npz)."""

import re
from pathlib import Path, PurePath

import numpy as np
from regrowth.files.digests import DIGESTS, digest, file_digest
from regrowth.study import prompt_tables
from regrowth.study.catalogue import Source
from regrowth.study.young import names_young

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
DEMO = "demo world"


def pictures(
    named: str, root: Path, captions: Source | None = None
) -> tuple[list[Path], list[Path]]:
    """(kept, left out): the pictures of the folder `named`, sorted; hidden files are none.

    Left out are those whose caption `prompt_tables.read` leaves out, if the captions' table names
    them, and those whose own name has a word for young people. Raises as `prompt_tables.read`.
    """
    there = sorted(
        f
        for f in (root / named).iterdir()
        if f.suffix.lower() in ENDINGS and not f.name.startswith(".") and f.is_file()
    )
    table = prompt_tables.left_out(captions, root) if captions and captions.file else None
    banned = {_called(name) for name in table or ()}
    out = [f for f in there if _names(f) & banned or names_young(re.sub(r"[\W_]+", " ", f.stem))]
    return sorted(set(there) - set(out)), out


def _called(name: str) -> str | int:
    """What a table calls a picture, without folder and ending; a number where that is all."""
    stem = PurePath(str(name).replace("\\", "/")).stem.casefold()
    return int(stem) if stem.isdecimal() else stem


def _names(file: Path) -> set[str | int]:
    """What a table may call a file: its name, or the number it ends in (COCO's id)."""
    at_end = re.search(r"\d+$", file.stem)
    return {_called(file.name)} | ({int(at_end[0])} if at_end else set())


def mistakes(
    named: str, root: Path, captions: Source | None = None, width: int | None = None
) -> list[str]:
    """What is wrong with a reference, without opening its pictures. width: of the features that it
    is to be compared with, if that is known."""
    at = root / named
    if named == DEMO:
        return []
    if at.is_dir():
        kept, out = pictures(named, root, captions)
        if len(kept) >= 2:
            return []
        folders = [f.name for f in sorted(at.iterdir()) if f.is_dir() and f.name[0] != "."]
        within = f"; it has folders: name one of {', '.join(folders[:4])}" if folders else ""
        left = f", {len(out)} left out for words for young people" if out else ""
        return [
            f"reference {named}: FID needs two pictures at least, here are {len(kept)}{left} "
            f"({', '.join(ENDINGS)}){within}"
        ]
    if not at.is_file():
        return [f"no {named}"]
    try:
        held = moments(at)
    except ValueError as error:
        return [str(error)]
    n = len(held["mean"])
    return [] if width in (None, n) else [f"{named} is of {n} features, the judge has {width}"]


def moments(file: Path) -> dict[str, np.ndarray]:
    """Mean and covariance from a file; n is 0, unknown. Raises ValueError for any other."""
    if file.suffix != ".npz":
        raise ValueError(f"reference {file.name}: a folder of pictures or an .npz is wanted")
    try:
        with np.load(file, allow_pickle=False) as held:
            found = dict(held)
    except Exception as error:
        raise ValueError(f"{file.name} cannot be read: {error}") from None
    lacking = [name for name in ("mu", "sigma") if name not in found]
    if lacking:
        raise ValueError(f"{file.name} lacks {' and '.join(lacking)}; it has {', '.join(found)}")
    mean, covariance = (np.asarray(found[name]) for name in ("mu", "sigma"))
    if mean.ndim != 1 or covariance.shape != (*mean.shape, *mean.shape):
        raise ValueError(
            f"{file.name}: mu (width,) and sigma (width, width) are wanted; "
            f"it has {mean.shape} and {covariance.shape}"
        )
    if mean.dtype.kind != "f" or not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise ValueError(f"{file.name} holds other than finite numbers")
    return {"mean": mean, "covariance": covariance, "n": np.array(0)}


def digest_of(source: Source, root: Path) -> str:
    """Of what a reference is made of: the names and sizes of the pictures kept, or the file."""
    named = source.reference or ""
    at = root / named
    if named == DEMO:
        return DEMO
    if at.is_dir():
        return digest([(f.name, f.stat().st_size) for f in pictures(named, root, source)[0]])
    return file_digest(at, DIGESTS)
