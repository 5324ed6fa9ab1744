"""Programs that tests drive and pip cannot install."""

import os
import shutil
import subprocess


def lacking(programs: tuple[str, ...], packages: tuple[str, ...]) -> str:
    """Why the programs are not here; empty if they are. As root, installs what Debian offers."""
    if all(map(shutil.which, programs)):
        return ""
    named = f"{programs[0]} (Debian's {' and '.join(packages)})"
    if os.geteuid() or not shutil.which("apt-get"):
        return f"{named} is not on this machine, and cannot be installed but by root with apt-get"
    quiet = {"capture_output": True, "text": True}
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    done = subprocess.run(install, env=environment, **quiet)
    if done.returncode:
        subprocess.run(["apt-get", "update"], env=environment, **quiet)
        done = subprocess.run(install, env=environment, **quiet)
    told = done.stderr.strip()[-300:]
    return f"{named} cannot be installed: {told}" if done.returncode else ""
