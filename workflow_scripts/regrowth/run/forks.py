"""Scripts of a run, forked from one process that has imported what they all import: else to start
takes a small model's jobs longer than what they do.

Only where no GPU is, which a process cannot share with its forks. As a program: that process. Each
job runs its script as an interpreter of its own would.
"""

import atexit
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from importlib import metadata
from pathlib import Path

#: What the lines import that Snakemake puts before every script, and what each script begins with.
HEAD = ("snakemake.logging", "snakemake.iocontainers", "regrowth.run.job", "torch._dynamo")
#: What most of them import, by the study's kind. Not onnxruntime: it starts a thread, which no fork
#: has.
IMPORTED = {
    "pictures": (
        "transformers.models.clip.modeling_clip",
        "transformers.models.clip.tokenization_clip",
        "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion",
        "regrowth.draw.pipeline",
        "regrowth.complete.engine",
        "regrowth.measure.tables",
        "regrowth.show.report",
    ),
    "classifiers": (
        "regrowth.run.classroom",
        "regrowth.classify.neighbours",
        "regrowth.classify.scissorhands",
        "regrowth.classify.spread",
        "regrowth.files.store",
        "sklearn.svm",
    ),
}
#: Runs of fewer jobs than this start each anew: to import everything takes as long as a few.
JOBS = 6
#: What Snakemake tells a job's libraries of its threads.
THREADS = ("OMP", "GOTO", "OPENBLAS", "MKL", "VECLIB", "NUMEXPR")
#: glibc's malloc, in bytes: what is let go is kept for what comes next. Else the kernel takes it
#: back and clears it anew at every other layer, an eighth of the time that a small model draws.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(32 * 1024**2), "MALLOC_TRIM_THRESHOLD_": str(2 * 1024**3)}
#: The drivers' devices: NVIDIA's, that of the Windows below, AMD's.
GPUS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
#: What this process ignores, and its jobs do not.
IGNORED = (signal.SIGCHLD, signal.SIGINT)
MEGA = 1024**2
_server: list = []


def can() -> bool:
    """Whether no GPU can be reached from here, by this torch or at all."""
    alone = metadata.version("torch").endswith("+cpu") or not any(map(os.path.exists, GPUS))
    return sys.platform == "linux" and alone


def begun() -> bool:
    return bool(_server)


def pay(jobs: Iterable) -> bool:
    """Whether so many jobs are worth the start."""
    return sum(1 for _ in jobs) >= JOBS


def surroundings() -> dict[str, str]:
    """The server's environment. What is set of malloc's stands."""
    return MALLOC | os.environ | {f"{name}_NUM_THREADS": "1" for name in THREADS}


def start(kind: str = "pictures") -> None:
    """The server; it ends with the last process that may ask it, however that ends. kind: a key of
    IMPORTED."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    program = [sys.executable, "-P", "-m", "regrowth.run.forks", str(its.fileno()), kind]
    with its:
        process = subprocess.Popen(program, env=surroundings(), pass_fds=[its.fileno()])
    _server.extend([ours, process])


def begin(kind: str = "pictures") -> None:
    """From now on Snakemake's Python scripts are forked, but for those of other environments."""
    from snakemake.script import PythonScript

    if not _server:
        start(kind)
    anew = PythonScript.execute_script

    def execute_script(script, fname: str, edit: bool = False) -> None:
        elsewhere = (script.conda_env, script.container_img, script.env_modules)
        if edit or any(elsewhere):
            return anew(script, fname, edit)
        env = os.environ | {f"{name}_NUM_THREADS": str(script.threads) for name in THREADS}
        if folder := script.resources.get("tmpdir"):
            env |= dict.fromkeys(("TMPDIR", "TMP", "TEMPDIR", "TEMP"), folder)
        with ask(fname, env) as job:
            if not job.readline():
                return anew(script, fname, edit)  # there is no server any more
            began = time.monotonic()
            code, *spent = json.loads(job.readline() or f"[{-signal.SIGKILL}]")
        if (record := script.bench_record) is not None:
            _measured(record, time.monotonic() - began, *spent)
        if code:
            raise subprocess.CalledProcessError(code, ["python", fname])

    PythonScript.execute_script = execute_script


def _measured(record, seconds: float, cpu: float = 0, rss: float = 0, *io: float) -> None:
    """A job's benchmark, by what the kernel has counted at its end. Snakemake would look twice a
    second instead, through all of the job's memory."""
    record.running_time, record.cpu_time, record.cpu_usage = seconds, cpu, 100 * cpu
    record.max_rss, (record.io_in, record.io_out) = rss, io or (0, 0)
    record.data_collected = True


def ask(script: str, env: dict[str, str]):
    """Have `python SCRIPT` run: a file with a line for its process, then one of JSON: its exit
    code, CPU seconds, most memory at once, what it has read of disks and written, in megabytes."""
    ours, its = socket.socketpair()
    with its, suppress(OSError):
        socket.send_fds(_server[0], [b"job"], [its.fileno(), 0, 1, 2])
    with ours:
        with suppress(OSError):
            ours.sendall(json.dumps([script, os.getcwd(), env]).encode() + b"\n")
        return ours.makefile(encoding="utf-8")


def import_all(kind: str = "pictures") -> None:
    sys.modules["polars"] = None  # type: ignore[assignment]  # statsmodels asks; it starts a thread
    gc.disable()  # what is imported stays: to look for circles in it is a fifth of the time
    for name in (*HEAD, *IMPORTED[kind]):
        importlib.import_module(name)
    gc.enable()
    del sys.modules["polars"]
    if mapping := sys.modules.get("transformers.conversion_mapping"):
        mapping.get_checkpoint_conversion_mapping("clip")  # a thousand regular expressions


def serve(asked: socket.socket) -> None:
    """Until nobody can ask any more."""
    gc.freeze()
    # Ctrl-C is for the jobs, and whoever ends is not waited for.
    handlers = {which: signal.signal(which, signal.SIG_IGN) for which in IGNORED}
    while (told := socket.recv_fds(asked, 16, 4))[0]:
        if os.fork() == 0:
            asked.close()
            _job(handlers, *told[1])
        for stream in told[1]:
            os.close(stream)


def _job(handlers: dict, by: int, *streams: int) -> None:
    """Two processes: the job, and one that tells how it ends. handlers: what the job does of the
    signals that are ignored here."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with socket.socket(fileno=by) as told:
        script, folder, env = json.loads(told.makefile(encoding="utf-8").readline())
        if child := os.fork():
            with suppress(OSError):  # nobody waits any more
                told.sendall(f"{child}\n".encode())
                told.sendall(json.dumps(_end(child)).encode() + b"\n")
            os._exit(0)
    for which, handler in handlers.items():
        signal.signal(which, handler)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    _play(script)


def _end(child: int) -> list[float]:
    """A job's second line, once it has ended. A disk's blocks have 512 bytes."""
    _, status, used = os.wait4(child, 0)
    io = [blocks * 512 / MEGA for blocks in (used.ru_inblock, used.ru_oublock)]
    code = os.waitstatus_to_exitcode(status)
    return [code, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / MEGA, *io]


def _play(script: str) -> None:
    import runpy

    from threadpoolctl import threadpool_limits

    threadpool_limits(int(os.environ["OMP_NUM_THREADS"]))
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [str(Path(script).parent), *(p for p in named if p and p not in sys.path)]
    sys.argv[:] = [script]
    try:
        runpy.run_path(script, run_name="__main__")
    except Exception as error:
        trace = error.__traceback__
        while trace and trace.tb_frame.f_code.co_filename != script:
            trace = trace.tb_next
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        leave(1)
    leave(0)


def leave(code: int) -> None:
    """End as an interpreter does, but for taking all its modules apart: what is written to is
    copied, and here that would be nearly all that was forked."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        import_all(sys.argv[2])
        serve(asked)
    leave(0)
