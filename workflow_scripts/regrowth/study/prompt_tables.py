"""Tables of prompts that users bring, without the rows that speak of young people."""

import math
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import pandas as pd
from regrowth.files import hub, keys, tables
from regrowth.settings import SEED_MAX
from regrowth.study.catalogue import Source
from regrowth.study.young import names_young

#: What a column may be called when the catalogue does not say; ConceptPrune's names among them.
ALIASES = {
    "prompt": ("prompt",),
    "class": ("class",),
    "seed": ("seed", "evaluation_seed"),
    "image": ("image", "file_name", "filename", "image_path", "image_id"),
}


def read(source: Source, root: Path, name: str | None = None) -> pd.DataFrame:
    """The source's table with the columns prompt (str), and class (str) and seed (int) if it has
    them. name: the class whose own table is meant, where the file's name asks for {name}. Rows with
    a word for young people in any column are left out, always: nobody below eighteen is drawn.
    Raises FileNotFoundError, or ValueError that says what the table has."""
    form = source.file or ""
    path = form if name is None else form.replace("{name}", name)
    file = hub.file(path, source.hub, source.revision, root)
    return _read(file, tuple(sorted(source.columns.items())))[0]


def left_out(source: Source, root: Path) -> list[str] | None:
    """What the source's tables call the pictures of the rows that `read` leaves out; None where
    they name no pictures. Raises as `read` does."""
    out, named = [], tuple(sorted(source.columns.items()))
    form = source.file or ""
    classes = getattr(source, "classes", ()) if "{name}" in form else ()
    for path in [form.replace("{name}", name) for name in classes] or [form]:
        pictures = _read(hub.file(path, source.hub, source.revision, root), named)[1]
        if pictures is None:
            return None
        out += pictures
    return out


def of_class(source: Source, name: str, root: Path) -> pd.DataFrame:
    """The rows of one class. Raises as `read` does."""
    if "{name}" in (source.file or ""):
        return read(source, root, name)
    table = read(source, root)
    if "class" not in table:
        raise ValueError(f"{source.file}: a column 'class' is wanted")
    return table[table["class"].map(keys.slug) == keys.slug(name)]


@lru_cache
def _read(file: Path, named: tuple[tuple[str, str], ...]) -> tuple[pd.DataFrame, list[str] | None]:
    """(the rows that are kept, the pictures of the others if the table names any)."""
    header, rows = tables.read(file)
    found = _columns(file, header, dict(named))
    if not rows:
        raise ValueError(f"{file.name} has no rows; its columns are {header}")
    ages = [i for i, name in enumerate(header) if str(name).strip().casefold() == "age"]
    out, pictures = [], []
    for number, values in rows:
        row = {column: values[at] for column, at in found.items()}
        row["prompt"] = _text(row["prompt"])
        if not row["prompt"].strip():
            raise ValueError(f"{file.name}: row {number} has no prompt")
        if "\0" in row["prompt"]:
            raise ValueError(f"{file.name}: row {number} has a NUL character in its prompt")
        if "class" in row:
            row["class"] = _text(row["class"]).strip()
        if "seed" in row:
            row["seed"] = _seed(row["seed"], f"{file.name}: row {number}")
        texts = [*_texts(values), *(f"age {_text(values[i])}" for i in ages)]
        picture = _picture(row.pop("image", None))
        if not any(map(names_young, texts)):
            out.append(row)
        elif picture:
            pictures.append(picture)
    if not out:
        raise ValueError(f"{file.name}: every row has a word for young people, and none is left")
    return pd.DataFrame(out), pictures if "image" in found else None


def _picture(cell) -> str:
    """What a cell calls its picture: a name, a number, or the path beside a picture's bytes."""
    cell = cell.get("path") if isinstance(cell, dict) else cell
    return str(cell) if isinstance(cell, str | int) else ""


def _columns(file: Path, header: list[str], named: dict[str, str]) -> dict[str, int]:
    """Where prompt, class, seed and image stand. Case and blanks around a name do not count."""
    known, out = [str(name).strip().casefold() for name in header], {}
    for column, aliases in ALIASES.items():
        wanted = (named[column],) if column in named else aliases
        found = [w for w in wanted if w.strip().casefold() in known]
        if found:
            name = found[0].strip().casefold()
            if known.count(name) > 1:
                raise ValueError(f"{file.name} has {known.count(name)} columns {found[0]!r}")
            out[column] = known.index(name)
        elif column == "prompt" or column in named:
            raise ValueError(f"{file.name}: a column {wanted[0]!r} is wanted; it has {header}")
    return out


def _text(value) -> str:
    """A cell as text; "" if it is empty."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)


def _texts(value) -> Iterable[str]:
    """Every text in a cell, however deep: lists and mappings hold texts as well."""
    if isinstance(value, dict):
        for pair in value.items():
            yield from _texts(pair)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, bytes):
        try:
            yield value.decode()
        except UnicodeDecodeError:
            pass  # a picture, say


def _seed(value, place: str) -> int:
    try:
        seed: int | None = int(value)
    except (TypeError, ValueError, OverflowError):
        try:
            number = float(value)
            seed = int(number) if math.isfinite(number) and number == int(number) else None
        except (TypeError, ValueError):
            seed = None
    else:
        seed = seed if isinstance(value, str) or seed == value else None
    if seed is None or isinstance(value, bool) or not 0 <= seed <= SEED_MAX:
        raise ValueError(f"{place}: {value!r} is no seed: a whole number from 0 to 2^63 - 1")
    return seed


def check(source: Source, classes: list[str] | None, root: Path) -> list[str]:
    """What is wrong with a source's table or, if it has one a class, tables; a family's has rows
    for each of its classes."""
    out = []
    for name in classes or (None,):
        try:
            if name is None:
                read(source, root)
            elif not len(of_class(source, name, root)):
                out.append(f"{source.file} has no row of class {name!r}")
        except (OSError, ValueError) as error:
            out.append(str(error))
    return list(dict.fromkeys(out))
