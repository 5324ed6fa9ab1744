"""What drives a study: one process at a time, by a lock that goes with it, and its interpreter."""

import errno
import fcntl
import os
import shlex
import sys
from pathlib import Path
from typing import TextIO

#: In a study's folder: what its driver holds a lock on.
FILE = ".driver"
#: What a file system says that has no locks; Snakemake's own has to do there.
WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_held: dict[Path, TextIO] = {}


def hold(folder: Path) -> bool:
    """Drive the study in `folder` until this process ends or lets go; False: another drives it.

    Snakemake's own lock goes when any other Snakemake in the directory ends, `status` for one; the
    kernel takes this one away with the process, however it dies. To hold it twice is once.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = (folder / FILE).resolve()
    if name not in _held:
        file = open(name, "a", encoding="utf-8")  # noqa: SIM115
        if not _lock(file, fcntl.LOCK_EX):
            file.close()
            return False
        _held[name] = file
    return True


def name_interpreter() -> None:
    """Snakemake puts the interpreter's path into a job's command as it is: one with a space is
    found on PATH instead."""
    if shlex.quote(sys.executable) != sys.executable:
        folder, sys.executable = os.path.split(sys.executable)
        os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"


def name_library(folder: Path) -> None:
    """Snakemake mounts the library into a container elsewhere, away from the files beside it: there
    it is imported from where it lies."""
    for runtime in ("APPTAINER", "SINGULARITY"):
        os.environ[f"{runtime}ENV_PYTHONPATH"] = str(folder)


def let_go() -> None:
    while _held:
        _held.popitem()[1].close()


def is_driven(folder: Path) -> bool:
    """Whether a driver is at work on the study in `folder`."""
    if not (folder / FILE).exists():
        return False
    with open(folder / FILE, encoding="utf-8") as file:
        return not _lock(file, fcntl.LOCK_SH)


def _lock(file, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
    return True
