"""Which GPU a job may use: one that no other job of this machine has, or none."""

import fcntl
import logging
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)
#: Where the driver lists the GPUs of a machine, a folder each.
DRIVER = Path("/proc/driver/nvidia/gpus")
#: Seconds between two looks for a free one.
PACE = 1.0
_held = []


def numbers() -> list[str]:
    """The devices that this process may see, without loading CUDA."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name.strip() for name in given.split(",") if name.strip()]
    return [str(i) for i in range(len(list(DRIVER.iterdir())))] if DRIVER.is_dir() else []


def asked_for(resources) -> bool:
    """Whether a rule's resources name a GPU: as `gpu`, or as `gres` for clusters without that."""
    return bool(resources.get("gpu")) or "gpu" in str(resources.get("gres", ""))


def claim(wanted: bool) -> str:
    """Let CUDA see one free device, or none if none is wanted; say which ("" for none or unknown).

    To be called before CUDA is loaded. A device is held by a file lock until the process ends,
    however it ends; while all are held this waits. Several jobs share one where the variable
    REGROWTH_SHARE_GPU is set. Under SLURM the devices are those that it gave the job.
    """
    there = numbers()
    if wanted and not there and "CUDA_VISIBLE_DEVICES" not in os.environ:
        return ""  # a driver that lists nothing here may still have one: CUDA finds out
    if wanted and there and "REGROWTH_SHARE_GPU" in os.environ:
        return ",".join(there)
    if not wanted or not there:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        return ""
    waiting = False
    while True:
        for name in there:
            if _lock(name):
                os.environ["CUDA_VISIBLE_DEVICES"] = name
                return name
        if not waiting:
            log.info("waiting for one of GPU %s", ", ".join(there))
            waiting = True
        time.sleep(PACE)


def _lock(name: str) -> bool:
    """Hold a device against every user of the machine. SLURM may number each job's own from 0."""
    folder = Path(tempfile.gettempdir()) / "regrowth-gpus"
    folder.mkdir(exist_ok=True)
    with suppress(PermissionError):  # it is another user's, who has done it
        folder.chmod(0o777)
    path = folder / f"{os.environ.get('SLURM_JOB_ID', 'machine')}-{name}"
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_CREAT, 0o644), encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    _held.append(file)
    return True
