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
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from importlib import metadata
from pathlib import Path

#: What the lines import that Snakemake puts before every script, and what each script begins with.
HEAD = ("snakemake.logging", "snakemake.iocontainers", "regrowth.run.job", "torch._dynamo")
#: What most of them import, by the study's kind. Not onnxruntime: it starts a thread, which no fork
#: has.
IMPORTED = {
    "pictures": (
        "regrowth.draw.pipeline",
        "regrowth.complete.engine",
        "regrowth.measure.tables",
        "regrowth.show.report",
        "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion",
        "transformers.models.clip.modeling_clip",
        "transformers.models.clip.tokenization_clip",
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
#: The drivers' devices: NVIDIA's, that of the Windows below, AMD's.
GPUS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
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


def start(kind: str = "pictures") -> None:
    """The server; it ends with the last process that may ask it, however that ends. kind: a key of
    IMPORTED."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    program = [sys.executable, "-P", "-m", "regrowth.run.forks", str(its.fileno()), kind]
    env = os.environ | {f"{name}_NUM_THREADS": "1" for name in THREADS}
    with its:
        process = subprocess.Popen(program, env=env, pass_fds=[its.fileno()])
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
        from snakemake.benchmark import benchmarked

        env = os.environ | {f"{name}_NUM_THREADS": str(script.threads) for name in THREADS}
        if folder := script.resources.get("tmpdir"):
            env |= dict.fromkeys(("TMPDIR", "TMP", "TEMPDIR", "TEMP"), folder)
        with ask(fname, env) as job:
            if not (pid := job.readline()):
                return anew(script, fname, edit)  # there is no server any more
            record = script.bench_record
            with benchmarked(int(pid), record) if record is not None else nullcontext():
                code = int(job.readline() or -signal.SIGKILL)
        if code:
            raise subprocess.CalledProcessError(code, ["python", fname])

    PythonScript.execute_script = execute_script


def ask(script: str, env: dict[str, str]):
    """Have `python SCRIPT` run: a file with a line for its process, then one for its exit code."""
    ours, its = socket.socketpair()
    with its, suppress(OSError):
        socket.send_fds(_server[0], [b"job"], [its.fileno(), 0, 1, 2])
    with ours:
        with suppress(OSError):
            ours.sendall(json.dumps([script, os.getcwd(), env]).encode() + b"\n")
        return ours.makefile(encoding="utf-8")


def import_all(kind: str = "pictures") -> None:
    sys.modules["polars"] = None  # type: ignore[assignment]  # statsmodels asks; it starts a thread
    for name in (*HEAD, *IMPORTED[kind]):
        importlib.import_module(name)
    del sys.modules["polars"]
    if mapping := sys.modules.get("transformers.conversion_mapping"):
        mapping.get_checkpoint_conversion_mapping("clip")  # a thousand regular expressions


def serve(asked: socket.socket) -> None:
    """Until nobody can ask any more."""
    gc.freeze()
    # Ctrl-C is for the jobs, and whoever ends is not waited for.
    ended = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    stopped = signal.signal(signal.SIGINT, signal.SIG_IGN)
    while (told := socket.recv_fds(asked, 16, 4))[0]:
        if os.fork() == 0:
            asked.close()
            _job(*told[1], ended=ended, stopped=stopped)
        for stream in told[1]:
            os.close(stream)


def _job(by: int, *streams: int, ended, stopped) -> None:
    """Two processes: the job, and one that tells how it ends, and keeps its number until nobody
    looks at it any more. ended, stopped: what the job does of its children's ends and Ctrl-C."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with socket.socket(fileno=by) as told:
        script, folder, env = json.loads(told.makefile(encoding="utf-8").readline())
        if child := os.fork():
            with suppress(OSError):  # nobody waits any more
                told.sendall(f"{child}\n".encode())
                end = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
                assert end  # nothing only where one does not wait
                code = end.si_status if end.si_code == os.CLD_EXITED else -end.si_status
                told.sendall(f"{code}\n".encode())
                told.shutdown(socket.SHUT_WR)
                told.recv(1)
            os.waitpid(child, 0)
            os._exit(0)
    signal.signal(signal.SIGCHLD, ended)
    signal.signal(signal.SIGINT, stopped)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    _play(script)


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
