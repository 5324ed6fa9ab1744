"""Tables that users bring: prompts as CSV, parquet or JSON, and the classes of a classifier.

What is read is exactly what stands there ("NA" is a text, 1984 as well): no value is guessed to be
missing, and a row that does not fit its header is refused by its number.
"""

import csv
import io
import json
import math
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
from regrowth.files import hub, keys
from regrowth.settings import SEED_MAX, text_of
from regrowth.study.catalogue import Source
from regrowth.study.young import names_young

#: What a column may be called when the catalogue does not say; ConceptPrune's names among them.
ALIASES = {
    "prompt": ("prompt",),
    "class": ("class",),
    "seed": ("seed", "evaluation_seed"),
    "image": ("image", "file_name", "filename", "image_path", "image_id"),
}
#: A table as it stands in its file: the columns' names, and each row with its number.
Table = tuple[list[str], list[tuple[int, list]]]


def _csv(file: Path, marks: str = ",;\t") -> Table:
    """Fields parted by the first of `marks` that the header has. A row may end in empty fields more
    than the header has; else it has as many. Raises ValueError with the row."""
    lines = list(io.StringIO(text_of(file), newline=""))
    first = next((line for line in lines if line.strip()), "")
    mark = next((m for m in marks if m in first), marks[0])
    table, start = [], 1
    reader = csv.reader(lines, delimiter=mark, skipinitialspace=True, strict=True)
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                table.append((start, fields))
            start = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"line {start}: do its quotes match? ({error})") from None
    header = [name.strip() for name in table[0][1]] if table else []
    while header and not header[-1]:
        header.pop()
    rows = []
    for number, (line, fields) in enumerate(table[1:], 1):
        while len(fields) > len(header) and not fields[-1].strip():
            fields.pop()
        if len(fields) != len(header):
            raise ValueError(
                f"row {number} (line {line}) has {len(fields)} fields, the header {len(header)}: "
                f'a text with "{mark}" in it stands between quotes'
            )
        rows.append((number, fields))
    return header, rows


def _parquet(file: Path) -> Table:
    table = pq.ParquetFile(file).read()  # of this file alone, whatever its folders are called
    columns = [column.to_pylist() for column in table.columns]
    return table.column_names, list(enumerate(map(list, zip(*columns)), 1))


def _records(records: list) -> Table:
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict):
            raise ValueError(f'row {number} is no object such as {{"prompt": "a dog"}}')
    header = list(dict.fromkeys(name for record in records for name in record))
    return header, [(i, [r.get(name) for name in header]) for i, r in enumerate(records, 1)]


def _json(file: Path) -> Table:
    """A list of objects, or an object of columns (lists, or objects by row)."""
    told = json.loads(text_of(file))
    if isinstance(told, dict):
        columns = [list(c.values()) if isinstance(c, dict) else c for c in told.values()]
        if not all(isinstance(c, list) and len(c) == len(columns[0]) for c in columns):
            raise ValueError("an object of columns of one length, or a list of objects, is wanted")
        return list(told), list(enumerate(map(list, zip(*columns)), 1))
    return _records(told if isinstance(told, list) else [told])


def _json_lines(file: Path) -> Table:
    lines = [line for line in text_of(file).split("\n") if line.strip()]
    try:
        return _records([json.loads(line) for line in lines])
    except json.JSONDecodeError as error:
        raise ValueError(f"row {lines.index(error.doc) + 1} is not JSON: {error.msg}") from None


READERS: dict[str, Callable[[Path], Table]] = {
    ".csv": _csv,
    ".tsv": partial(_csv, marks="\t"),
    ".parquet": _parquet,
    ".json": _json,
    ".jsonl": _json_lines,
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


def _table(file: Path) -> Table:
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        raise ValueError(f"{file.name}: known endings are {', '.join(READERS)}")
    try:
        return reader(file)
    except (ValueError, OSError, RecursionError) as error:
        raise ValueError(f"{file.name} cannot be read: {' '.join(str(error).split())}") from None


@lru_cache
def _read(file: Path, named: tuple[tuple[str, str], ...]) -> tuple[pd.DataFrame, list[str] | None]:
    """(the rows that are kept, the pictures of the others if the table names any)."""
    header, rows = _table(file)
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


@lru_cache
def classes(file: Path) -> dict[str, tuple[int, list[str]]]:
    """A classifier's outputs: concept → (index, names it may have). Columns: concept, index, names
    ("|" between names). Raises OSError or ValueError."""
    if not file.is_file():
        raise FileNotFoundError(f"no file {file}")
    header, rows = _table(file)
    if header != ["concept", "index", "names"]:
        raise ValueError(f"{file}: columns concept, index, names are wanted; it has {header}")
    out = {}
    for number, (concept, index, names) in rows:
        if not str(index).isdigit():
            raise ValueError(f"{file}: row {number}: {index!r} is no index of an output")
        out[keys.named(concept)] = (int(index), str(names).split("|"))
    return out
