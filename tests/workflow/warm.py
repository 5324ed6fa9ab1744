"""Python that has everything imported: two processes have done so, one for Snakemake's runs and one
for their jobs, and fork for each. Else a plan of the smoke study took three times as long, and most
of what a job of it does would be imports.

What tests kill or show in a terminal runs as for a user. As a program: `serve SOCKET KIND`, until
its input ends; `ask FOLDER ARGUMENT…`, which is what `python ARGUMENT…` would be.
"""

import json
import os
import shlex
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
    nothing = os.open(os.devnull, os.O_RDONLY)
    said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        return _ask(_servers(), ["-m", "snakemake", *args], env, (nothing, said, said))
    finally:
        os.close(nothing)
        os.close(said)


@cache
def _servers() -> Path:
    """A folder with the socket of each, and with an interpreter that asks them for what it is to
    run. They end with this process, whose end of their pipes closes."""
    from regrowth.run import devices, hooks

    _kept.append(tempfile.TemporaryDirectory(prefix="warm"))
    folder = Path(_kept[0].name)
    own = os.environ | hooks.ENVIRONMENT | {"PYTHONPATH": str(LIBRARY)}
    for kind in KINDS:
        server = [sys.executable, __file__, "serve", str(folder / kind), kind]
        pipes = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
        _kept.append(subprocess.Popen(server, env=own, text=True, **pipes))
    for begun in _kept[1:]:
        if not begun.stdout.readline():
            raise RuntimeError(f"{begun.args} has ended")
    # What has asked the driver for GPUs, as some libraries do when they are imported, cannot fork
    # for a job that uses one.
    asks = [] if devices.numbers() else ["-I", "-S", __file__, "ask", str(folder)]
    interpreter = folder / "python"
    line = f'#!/bin/sh\nexec {shlex.join([sys.executable, *asks])} "$@"\n'
    interpreter.write_text(line, encoding="utf-8")
    interpreter.chmod(0o755)
    return folder


def _ask(folder: Path, args: list[str], env: dict[str, str], streams: tuple[int, ...]) -> int:
    """The exit code of `python ARGUMENT…`, run by the server for it; streams: its first three."""
    kind = "plans" if args[:2] == ["-m", "snakemake"] else "jobs"
    told = json.dumps([args, env, os.getcwd(), str(folder / "python")]).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(str(folder / kind))
        socket.send_fds(server, [len(told).to_bytes(8)], streams)
        server.sendall(told)
        return int(server.makefile().readline())


def _import_for_plans() -> None:
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


def _import_for_jobs() -> None:
    """Not onnxruntime: it starts a thread, which a fork would wait for."""
    _import_for_plans()
    import regrowth.complete.engine  # noqa: F401
    import regrowth.draw.pipeline  # noqa: F401
    import regrowth.measure.tables  # noqa: F401
    import regrowth.run.job  # noqa: F401
    import regrowth.show.report  # noqa: F401
    import torch._dynamo  # noqa: F401
    from transformers import AutoTokenizer, CLIPModel  # noqa: F401
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping

    get_checkpoint_conversion_mapping("clip")  # a thousand regular expressions


KINDS = {"plans": _import_for_plans, "jobs": _import_for_jobs}


def _serve(at: str, kind: str) -> None:
    import gc
    import select

    path = [folder for folder in sys.path[1:] if folder != str(LIBRARY)]
    path.append(str(LIBRARY))  # last, where an editable installation has it
    KINDS[kind]()
    if kind == "plans" and "torch" in sys.modules:
        raise RuntimeError("to plan needs no torch")
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
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, *_ = socket.recv_fds(asked, 8, 3)
    told = asked.makefile("rb").read(int.from_bytes(size))
    if child := os.fork():
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        asked.sendall(f"{ended if ended >= 0 else 128 - ended}\n".encode())
        os._exit(0)
    asked.close()
    args, env, folder, python = json.loads(told)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    for stream, to in enumerate(streams):
        os.dup2(to, stream)
        os.close(to)
    sys.executable = python
    named = list(filter(None, env.get("PYTHONPATH", "").split(os.pathsep)))
    if named and named[0] != str(LIBRARY):  # a run imports its own
        for name in [name for name in sys.modules if name.split(".")[0] == "regrowth"]:
            del sys.modules[name]
    if args[:2] == ["-m", "snakemake"]:
        from snakemake.cli import main

        sys.path[:], sys.argv[:] = [folder, *named, *path], args[1:]
        main()  # which ends the process
    import runpy

    sys.path[:], sys.argv[:] = [str(Path(args[0]).parent), *named, *path], args
    runpy.run_path(args[0], run_name="__main__")


if __name__ == "__main__":
    what, *told = sys.argv[1:]
    if what == "serve":
        _serve(*told)
    else:
        sys.exit(_ask(Path(told[0]), told[1:], dict(os.environ), (0, 1, 2)))
