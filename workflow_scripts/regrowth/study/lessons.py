"""Pictures of one's own that attackers learn from: a folder, and what its pictures are called."""

import re
from pathlib import Path

from regrowth.files import hub, images, keys, tables
from regrowth.files.digests import DIGESTS, digest, file_digest
from regrowth.study import references
from regrowth.study.catalogue import Catalogue, concepts_of
from regrowth.study.config import Learning, Study
from regrowth.study.young import names_young

#: Columns file_name and text, as `datasets` reads a folder of images.
CAPTIONS = "metadata.csv"
Captioned = list[tuple[Path, str]]


def folder(learning: Learning, data: str, concept: str) -> str | None:
    """Where the pictures of a lesson lie; None: they are drawn. concept: as it stands in paths."""
    if data == "auxiliary":
        return learning.auxiliary
    own = {keys.slug(name): at for name, at in learning.concept.items()}
    return own.get(concept) if data == "concept" else None


def captioned(named: str, root: Path, most: int) -> Captioned:
    """The first `most` pictures by name, each with its caption: its row's in CAPTIONS where there
    is one, or else the words of its name, without a number at the end.

    Left out is what has a word for young people in either. Raises OSError or ValueError, where
    there is no picture, or one has no caption.
    """
    if not (root / named).is_dir():
        raise ValueError(hub.nowhere(named, root))
    kept, _ = references.pictures(named, root)
    table = root / named / CAPTIONS
    told = _table(table) if table.is_file() else None
    found = []
    for file in kept:
        text = _words(file) if told is None else told.get(file.name, "")
        if not text.strip():
            how = "no words in its name" if told is None else f"no row in {CAPTIONS}"
            raise ValueError(f"{file.name} has {how}, so no caption")
        found += [] if names_young(text) else [(file, " ".join(text.split()))]
    if not found:
        raise ValueError(f"no picture to learn from ({', '.join(references.ENDINGS)})")
    return found[:most]


def _table(file: Path) -> dict[str, str]:
    header, rows = tables.read(file)
    if not {"file_name", "text"} <= {*header}:
        raise ValueError(f"{file.name}: columns file_name and text are wanted; it has {header}")
    name, text = header.index("file_name"), header.index("text")
    return {str(row[name]): str(row[text]) for _, row in rows}


def _words(file: Path) -> str:
    return re.sub(r"\s*\d+$", "", re.sub(r"[\W_]+", " ", file.stem).strip())


def digest_of(found: Captioned) -> str:
    return digest([(file.name, file_digest(file, DIGESTS), text) for file, text in found])


def planned(study: Study, root: Path, data: str, concept: str, told: str) -> Captioned:
    """A lesson's pictures, if they are still those that the run was planned with. Raises
    RuntimeError if not."""
    named = folder(study.learning, data, concept) or ""
    found = captioned(named, root, study.learning.pictures)
    if digest_of(found) != told:
        raise RuntimeError(f"{named} has changed since this run was planned: start it again")
    return found


def mistakes(study: Study, catalogue: Catalogue, root: Path) -> list[str]:
    """A line for each folder that cannot be learnt from."""
    learning, known, out = study.learning, concepts_of(catalogue), []
    pairs = any("slerp" in getattr(attack, "data", []) for attack in study.attacks.values())
    if pairs and learning.pictures < 2:
        out.append("config: learning.pictures: slerp lies between two: 2 or more are wanted")
    asked = {"auxiliary": (learning.auxiliary, "")} if learning.auxiliary else {}
    for concept, at in learning.concept.items():
        asked[f"concept.{concept}"] = (at, known[keys.slug(concept)][1])
    for place, (at, name) in asked.items():
        try:
            found = captioned(at, root, learning.pictures)
            for file, _ in found:
                images.verify(file)
        except (OSError, ValueError) as error:
            out.append(f"config: learning.{place}: {at}: {error}")
            continue
        if name and pairs and len(found) < 2:
            out.append(
                f"config: learning.{place}: {at}: slerp lies between two pictures, here is 1"
            )
        word = f"-{keys.slug(name)}-"
        lacking = [file.name for file, text in found if word not in f"-{keys.slug(text)}-"]
        if name and lacking:
            out.append(
                f"config: learning.{place}: {at}: {len(lacking)} of {len(found)} captions do not "
                f"name {name!r} ({lacking[0]}), and what is learnt is what they name"
            )
    return out
