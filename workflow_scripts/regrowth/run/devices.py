"""Which GPU a job may use: one that no other job of this machine has, or none."""

import errno
import logging
import os
import re
import socket
import time
from pathlib import Path

log = logging.getLogger(__name__)
#: Where the driver lists the GPUs of a machine, a folder each.
DRIVER = Path("/proc/driver/nvidia/gpus")
#: Seconds between two looks for a free one.
PACE = 1.0
_held: list[socket.socket] = []


def numbers() -> list[str]:
    """The devices that this process may see, without loading CUDA.

    CUDA_VISIBLE_DEVICES is read as CUDA reads it: up to the first name that is none ("-1", "none",
    "NoDevFiles") or is of another form than the first; a device named twice leaves none.
    """
    listed = len(list(DRIVER.iterdir())) if DRIVER.is_dir() else None
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        return [str(i) for i in range(listed or 0)]
    names, form = [], re.findall(r"^\s*(GPU-|MIG-)?", given)[0]
    for name in given.split(","):
        found = re.match(rf"{form}\S+" if form else r"\d+", name.strip())
        if not found or (not form and listed and int(found[0]) >= listed):
            break
        names.append(found[0] if form else str(int(found[0])))
    return names if len(set(names)) == len(names) else []


def asked_for(resources) -> bool:
    """Whether a rule's resources name a GPU: as `gpu`, or as `gres` for clusters without that."""
    return bool(resources.get("gpu")) or "gpu" in str(resources.get("gres", ""))


def claim(wanted: bool) -> str:
    """Let CUDA see one free device, or none if none is wanted; say which ("" for none or unknown).

    To be called before CUDA is loaded. A device is held by the name of a socket until the process
    ends, however it ends; while all are held this waits. Several jobs share one where the variable
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
    """Hold a device against every user of the machine. SLURM may number each job's own from 0.

    By the name of a socket that is in no folder: nobody's umask or TMPDIR comes between.
    """
    lock = socket.socket(socket.AF_UNIX)
    try:
        lock.bind(f"\0regrowth-gpu-{os.environ.get('SLURM_JOB_ID', 'machine')}-{name}")
    except OSError as error:
        lock.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    _held.append(lock)
    return True
