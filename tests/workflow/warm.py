"""Snakemake from a process that has imported it already and forks for each run: of the two seconds
that a plan of the smoke study takes, one is imports."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path


@cache
def _server() -> subprocess.Popen:
    """It ends with this process, whose end of its pipe closes."""
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, __file__], stdin=pipe, stdout=pipe, env=own, text=True)


def run(args: list[str], env: dict[str, str], log: Path) -> int:
    """`python -m snakemake` with these arguments and this environment: its exit code. What it says
    is added to `log`."""
    server = _server()
    server.stdin.write(json.dumps([args, env, os.getcwd(), str(log)]) + "\n")
    server.stdin.flush()
    return int(server.stdout.readline())


def _become(args: list[str], env: dict[str, str], folder: str, log: str, path: list[str]) -> None:
    """Make this process, which was forked for it, what a fresh one would be."""
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    named = env.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:] = [folder, *filter(None, named), *path]
    sys.argv[:] = ["snakemake", *args]
    said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream, to in enumerate((os.open(os.devnull, os.O_RDONLY), said, said)):
        os.dup2(to, stream)


def _serve() -> None:
    import pandas  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import pydantic  # noqa: F401
    from snakemake.cli import main

    if known := {"regrowth", "torch"} & set(sys.modules):
        raise RuntimeError(f"{known}: a run is to import its own, or none")
    path = sys.path[1:]
    while line := sys.stdin.readline():
        if child := os.fork():
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
            continue
        _become(*json.loads(line), path)
        main()  # which ends the process


if __name__ == "__main__":
    _serve()
