"""Unsafe pictures: which of those on disk nobody waits for any more."""

from pathlib import Path

from regrowth.catalogue import Catalogue
from regrowth.prompts import is_unsafe


def unblurred(images: Path, catalogue: Catalogue, waited_for: set[Path]) -> list[Path]:
    """The files below `images` with unblurred pictures of an unsafe set, but for those that are
    `waited_for`; whatever was begun of one and never got its name, in any case."""
    found = []
    for file in sorted(images.rglob("*")):
        named = [part.partition("=")[2] for part in file.parts if part.startswith("prompts=")]
        if named and file.is_file() and file not in waited_for and _unsafe(catalogue, named[-1]):
            found.append(file)
    return found


def _unsafe(catalogue: Catalogue, bundle: str) -> bool:
    """Also of a bundle that the catalogue no longer knows."""
    try:
        return is_unsafe(catalogue, bundle)
    except KeyError:
        return True
