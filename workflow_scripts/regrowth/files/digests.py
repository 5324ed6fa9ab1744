"""Digests of any values, and of files, which are remembered for as long as nobody touches them."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

#: Where digests of files are remembered, below the working directory.
DIGESTS = Path("results/digests.json")


def digest(*values: Any) -> str:
    """Sixteen hex digits of any JSON values."""
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_digest(file: Path, cache: Path) -> str:
    """sha256 of a file, remembered in `cache` for as long as its size and time stay the same."""
    return file_digests([file], cache)[0]


def file_digests(files: Iterable[Path], cache: Path) -> list[str]:
    """The same of several, whose memory is read once, and written once where some are new."""
    held, new, out = remembered(cache), {}, []
    for file in files:
        name, stat = str(file.resolve()), file.stat()
        stamp = f"{stat.st_size}:{stat.st_mtime_ns}"
        match held.get(name):
            case [str(seen), str(value)] if seen == stamp:
                pass
            case _:
                with open(file, "rb") as stream:
                    value = hashlib.file_digest(stream, "sha256").hexdigest()
                new[name] = [stamp, value]
        out.append(value)
    if new:
        with suppress(OSError):  # somebody else's results may be read
            remember(cache, new)
    return out


def remembered(cache: Path) -> dict[str, Any]:
    """What `cache` holds; nothing if it is damaged, since all of it can be had again."""
    try:
        held = json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return held if isinstance(held, dict) else {}


def remember(cache: Path, more: dict[str, Any]) -> None:
    """Write more into `cache`, one process after the other."""
    from regrowth.files.store import write_text

    cache.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(cache.parent, os.O_RDONLY)
    try:
        with suppress(OSError):  # where there are no locks, what two write at once is had again
            fcntl.flock(folder, fcntl.LOCK_EX)
        write_text(cache, json.dumps(remembered(cache) | more, indent=1))
    finally:
        os.close(folder)


def folder_digest(folder: Path, files: Iterable[Path], cache: Path) -> str:
    """Digest of files in a directory: those that are loaded, whatever else lies beside them."""
    held = list(files)
    names = [str(file.relative_to(folder)) for file in held]
    return digest([*zip(names, file_digests(held, cache))])
