"""Tables that users bring, as CSV, parquet or JSON.

What is read is exactly what stands there ("NA" is a text, 1984 as well): no value is guessed to be
missing, and a row that does not fit its header is refused by its number.
"""

import csv
import io
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

#: A table as it stands in its file: the columns' names, and each row with its number.
Table = tuple[list[str], list[tuple[int, list[Any]]]]


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


def _records(records: list[Any]) -> Table:
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


def read(file: Path) -> Table:
    """A table by its file's ending. Raises ValueError with what is wrong."""
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        raise ValueError(f"{file.name}: known endings are {', '.join(READERS)}")
    try:
        return reader(file)
    except (ValueError, OSError, RecursionError) as error:
        raise ValueError(f"{file.name} cannot be read: {' '.join(str(error).split())}") from None


def text_of(file: Path) -> str:
    """A file's text without a byte order mark. Raises OSError, or UnicodeError with the place."""
    held = file.read_bytes()
    try:
        return held.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = held[: error.start].count(b"\n") + 1
        found = f"byte 0x{held[error.start]:02x} in line {line}"
        raise UnicodeError(f"{file} is not UTF-8 ({found}): save it as UTF-8") from None
