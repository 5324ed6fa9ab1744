"""A Snakemake that has everything imported, and the code that results depend on read, and forks for
each run; and one server of forks for the jobs of them all. Else a plan of the smoke study took
three times as long.

What tests kill or show in a terminal runs as for a user. As a program: that Snakemake, until its
input ends.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[2] / "workflow_scripts"
_kept: list = []


def run(args: list[str], env: dict[str, str], log: Path) -> int:
    """`python -m snakemake` with these arguments and this environment: its exit code. What it says
    is added to `log`."""
    told = json.dumps([args, env, os.getcwd()]).encode()
    with open(os.devnull, "rb") as nothing, open(log, "ab") as said:
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(str(_begun()))
            streams = [stream.fileno() for stream in (nothing, said, said)]
            socket.send_fds(server, [len(told).to_bytes(8)], streams)
            server.sendall(told)
            return int(server.makefile().readline())


@cache
def _begun() -> Path:
    """Where it listens. It ends with this process, whose end of its pipe closes."""
    from regrowth.run import hooks

    _kept.append(tempfile.TemporaryDirectory(prefix="warm"))
    at = Path(_kept[0].name, "socket")
    own = os.environ | hooks.ENVIRONMENT | {"PYTHONPATH": str(LIBRARY)}
    pipes = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
    _kept.append(subprocess.Popen([sys.executable, __file__, str(at)], env=own, text=True, **pipes))
    if not _kept[1].stdout.readline():
        raise RuntimeError("it has ended")
    return at


def _import() -> None:
    import docutils.parsers.rst.states  # noqa: F401
    import nbformat  # noqa: F401
    import pandas  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import regrowth.run.audits  # noqa: F401
    import regrowth.run.hooks  # noqa: F401
    import regrowth.run.planned  # noqa: F401
    import regrowth.run.terminal  # noqa: F401
    import smart_open  # noqa: F401
    import snakemake.cli  # noqa: F401
    import snakemake.report.html_reporter  # noqa: F401


def _read() -> None:
    """Each script's definitions: else every plan in a new folder reads them all anew."""
    from regrowth.files import provenance

    for script in LIBRARY.glob("*.py"):
        provenance.code_digest(script)


def _serve(at: str) -> None:
    import gc
    import select

    from regrowth.run import forks

    path = [folder for folder in sys.path[1:] if folder != str(LIBRARY)]
    path.append(str(LIBRARY))  # last, where an editable installation has it
    _import()
    _read()
    if "torch" in sys.modules:
        raise RuntimeError("to plan needs no torch")
    if forks.can():
        forks.start()
    gc.freeze()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(at)
    listening.listen(64)
    print("ready", flush=True)
    signal.signal(signal.SIGCHLD, _reap)
    while sys.stdin not in select.select([sys.stdin, listening], [], [])[0]:
        asked, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            return _answer(asked, path)
        asked.close()


def _reap(*_) -> None:
    """Those that have told how a run ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _answer(asked: socket.socket, path: list[str]) -> None:
    """Fork for the run, and tell how it ended."""
    from regrowth.run.forks import leave  # this library's own, whichever the run imports

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, *_ = socket.recv_fds(asked, 8, 3)
    told = asked.makefile("rb").read(int.from_bytes(size))
    if child := os.fork():
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        asked.sendall(f"{ended if ended >= 0 else 128 - ended}\n".encode())
        os._exit(0)
    asked.close()
    args, env, folder = json.loads(told)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    for stream, to in enumerate(streams):
        os.dup2(to, stream)
        os.close(to)
    named = list(filter(None, env.get("PYTHONPATH", "").split(os.pathsep)))
    if named and named[0] != str(
        LIBRARY
    ):  # a run imports its own, and its jobs are not forked here
        for name in [name for name in sys.modules if name.split(".")[0] == "regrowth"]:
            del sys.modules[name]
    from snakemake.cli import main

    sys.path[:], sys.argv[:] = [folder, *named, *path], ["snakemake", *args]
    try:
        main()
    except SystemExit as end:
        leave(end.code or 0)


if __name__ == "__main__":
    _serve(sys.argv[1])
