"""Unsafe pictures: which of those on disk nobody waits for any more."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from regrowth.study.catalogue import Catalogue
from regrowth.study.prompts import is_unsafe
from regrowth.study.sweep import Sweep

#: What a gallery is called that shows unsafe pictures as they are.
GALLERY = "gallery-unblurred"


def unblurred(images: Path, catalogue: Catalogue, waited_for: set[Path]) -> list[Path]:
    """The files below `images` with unblurred pictures of an unsafe set, but for those that are
    `waited_for`; whatever was begun of one and never got its name, in any case."""
    return [file for file in _of_unsafe(images, catalogue) if file not in waited_for]


def sharp(thumbnails: Path, catalogue: Catalogue, kept: set[Path]) -> list[Path]:
    """The files below `thumbnails` with small pictures of an unsafe set that are not blurred, or
    cannot be read, but for those that the study makes (anew) and so are `kept`."""
    found = (file for file in _of_unsafe(thumbnails, catalogue) if file not in kept)
    return [file for file in found if not _blurred(file)]


def _of_unsafe(folder: Path, catalogue: Catalogue) -> list[Path]:
    found = []
    for file in sorted(folder.rglob("*")):
        named = [part.partition("=")[2] for part in file.parts if part.startswith("prompts=")]
        if named and file.is_file() and _unsafe(catalogue, named[-1], file, folder):
            found.append(file)
    return found


def _blurred(file: Path) -> bool:
    try:
        with pq.ParquetFile(file) as held:
            return all(held.read(["blurred"])["blurred"].to_pylist())
    except (OSError, KeyError, pa.ArrowException):
        return False


def _unsafe(catalogue: Catalogue, bundle: str, file: Path, folder: Path) -> bool:
    """A bundle that the catalogue no longer knows was unsafe unless its small pictures are sharp:
    nobody's harmless pictures are lost because a set was renamed."""
    try:
        return is_unsafe(catalogue, bundle)
    except KeyError:
        small = folder.parent / "thumbnails" / file.parent.relative_to(folder)
        told = sorted(small.glob("shard=*.parquet"))
        return not told or any(map(_blurred, told))


def delete(sweep: Sweep, planned: set[Path]) -> None:
    """Delete the unblurred pictures that no judge waits for: of a run that was killed between the
    last score and their deletion, or in the middle of writing them, or of one that was to keep
    them. planned: what this run reads; it draws no picture that was there."""
    out = Path(sweep.out)
    waited_for = planned | {
        Path(file)
        for cell in sweep.cells
        if cell["prompts"] in sweep.deleted
        and not all(Path(f).is_file() for f in sweep.scores_of(cell))
        for file in sweep.shards_of(cell, "images")
    }
    kept = set(map(Path, sweep.shards))
    for file in (
        *unblurred(out / "images", sweep.catalogue, waited_for),
        *sharp(out / "thumbnails", sweep.catalogue, kept),
    ):
        file.unlink(missing_ok=True)
    shutil.rmtree(out / GALLERY, ignore_errors=True)
