"""Scripts that are forked run, fail and die as those of an interpreter of their own."""

import concurrent.futures
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from regrowth.run import forks
from snakemake.benchmark import BenchmarkRecord
from snakemake.executors import local
from snakemake.script import PythonScript
from snakemake_executor_plugin_regrowth import Executor

#: The server, without what takes so long to import.
BARE = "import socket, sys; from regrowth.run import forks; forks.serve(socket.socket(fileno=%d))"


@pytest.fixture
def server(monkeypatch):
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        process = subprocess.Popen(
            [sys.executable, "-c", BARE % its.fileno()],
            pass_fds=[its.fileno()],
            env=forks.surroundings() | {"SEEN": "by the server alone"},
        )
    monkeypatch.setattr(forks, "_server", [ours, process])
    yield process
    ours.close()
    assert process.wait(timeout=10) in (0, -signal.SIGKILL)


@pytest.fixture
def run(server, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)

    def run(code: str, **env: str) -> tuple[int, str, str]:
        """Its exit code, and what it wrote."""
        (tmp_path / "script.py").write_text(code, encoding="utf-8")
        env = {"OMP_NUM_THREADS": "1", "PATH": os.environ["PATH"]} | env
        with forks.ask(str(tmp_path / "script.py"), env) as job:
            assert int(job.readline()) != server.pid
            return json.loads(job.readline())[0], *capfd.readouterr()

    return run


def anew(tmp_path, code: str, **env: str) -> tuple[int, str, str]:
    """The same by an interpreter of its own."""
    (tmp_path / "script.py").write_text(code, encoding="utf-8")
    env = {"OMP_NUM_THREADS": "1", "PATH": os.environ["PATH"]} | env
    command = [sys.executable, str(tmp_path / "script.py")]
    ended = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True)
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize(
    "code",
    [
        "print('done')",
        "import sys; print(sys.argv, __name__, __file__, sys.path[0])",
        "import os; print(os.getcwd(), *[os.environ.get(n) for n in ('PATH', 'HOME', 'SEEN')])",
        "def f():\n    raise ValueError('odd')\n\nf()",
        "import sys\nsys.excepthook = lambda kind, value, trace: print(kind, value)\n1 / 0",
        "raise SystemExit('why')",
        "import sys; sys.exit(3)",
        "import atexit; atexit.register(print, 'left')",
        "import sys; sys.stdout.write('half a line')",
        "from threading import Timer; Timer(0.5, print, ['late']).start()",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import signal; print(signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGCHLD))",
        "import subprocess; print(subprocess.run(['false']).returncode)",
        "import gc, sys; print(gc.isenabled(), 'polars' in sys.modules)",
    ],
)
def test_as_an_interpreter_of_its_own(run, tmp_path, code):
    assert run(code) == anew(tmp_path, code)


def test_what_a_job_leaves_open_is_written_and_what_is_for_a_while_is_gone(run, tmp_path):
    """Though its interpreter is not taken apart."""
    code = "import tempfile; held = tempfile.TemporaryDirectory(dir='.', prefix='while-')\n"
    code += "left = open('left', 'w'); left.write('all')"
    assert run(code) == (0, "", "")
    assert (tmp_path / "left").read_text(encoding="utf-8") == "all"
    assert not [*tmp_path.glob("while-*")]


def test_a_job_has_its_own_variables_and_libraries(run, tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "named.py").write_text("NAME = 'mine'", encoding="utf-8")
    code = "import os, named; print(named.NAME, os.environ.get('SEEN'))"
    assert run(code, PYTHONPATH=str(tmp_path / "lib")) == (0, "mine None\n", "")


def test_a_job_has_its_threads(run):
    count = "import torch; print(torch.get_num_threads())"
    assert run(count, OMP_NUM_THREADS="1")[1] == "1\n"
    assert run(count, OMP_NUM_THREADS="2")[1] == "2\n"


def test_memory_that_a_job_lets_go_is_kept_for_what_comes_next(run, tmp_path):
    """As a model's layers need it, by the pages that the kernel had to clear."""
    code = """
import resource
for _ in range(10):
    [b"1" * 20_000_000 for _ in range(4)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt * resource.getpagesize())
"""
    assert int(anew(tmp_path, code)[1]) > 5 * 80e6
    assert int(run(code)[1]) < 2 * 80e6


def test_what_is_set_of_malloc_stands(monkeypatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "0")
    assert forks.surroundings()["MALLOC_TRIM_THRESHOLD_"] == "0"


def test_jobs_do_not_see_each_other(run):
    """Nor does the server become what one of them made of itself."""
    assert run("import json; json.odd = 1; import os; os.chdir('/')")[0] == 0
    assert run("import json, os; print(hasattr(json, 'odd'), os.getcwd() == '/')")[1] == (
        "False False\n"
    )


SPENDS = """
import resource, time
held = bytearray(300 * 1024**2)
while time.process_time() < 0.5:
    pass
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


def test_what_a_job_spends_is_what_it_counts_itself(server, tmp_path, monkeypatch, capfd):
    (tmp_path / "script.py").write_text(SPENDS, encoding="utf-8")
    script = PythonScript.__new__(PythonScript)
    script.conda_env = script.container_img = script.env_modules = None
    script.threads, script.resources, script.bench_record = 1, {}, BenchmarkRecord()
    monkeypatch.setattr(PythonScript, "execute_script", None)  # as it was, afterwards
    forks.begin()
    script.execute_script(str(tmp_path / "script.py"))
    cpu, most = map(float, capfd.readouterr().out.split())
    header, told = BenchmarkRecord.get_header(), script.bench_record.to_tsv(False).split("\t")
    took = dict(zip(header, told))
    assert cpu > 0.5 and float(took["cpu_time"]) == pytest.approx(cpu, abs=0.3)
    assert most > 300 and float(took["max_rss"]) == pytest.approx(most, abs=20)
    assert cpu * 0.9 < float(took["s"]) < 30
    load = 100 * float(took["cpu_time"]) / float(took["s"])
    assert float(took["mean_load"]) == pytest.approx(load, rel=0.05)


def test_many_at_once(server, tmp_path):
    """Each tells its own end, in whatever order they come."""
    script = tmp_path / "script.py"
    script.write_text("import os, sys; sys.exit(int(os.environ['CODE']))", encoding="utf-8")
    with contextlib.ExitStack() as stack:
        env = [{"OMP_NUM_THREADS": "1", "CODE": str(code)} for code in range(20)]
        jobs = [stack.enter_context(forks.ask(str(script), each)) for each in env]
        told = [[json.loads(line) for line in job] for job in jobs]
    assert [end[0] for _, end in told] == list(range(20))
    assert len({pid for pid, _ in told}) == 20


def test_jobs_outlive_the_driver_and_the_server_does_not(server, tmp_path):
    """As those of Snakemake's own executor do: a job that is killed only by chance is nothing to
    build on."""
    script, done = tmp_path / "script.py", tmp_path / "done"
    waits = f"import time, pathlib; time.sleep(1); pathlib.Path({str(done)!r}).touch()"
    script.write_text(waits, encoding="utf-8")
    with forks.ask(str(script), {"OMP_NUM_THREADS": "1"}) as job:
        job.readline()
    forks._server[0].close()
    assert server.wait(timeout=10) == 0
    until = time.monotonic() + 30
    while not done.exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert done.exists()


def test_without_a_server_there_is_no_process(server, tmp_path):
    """Which is how a caller knows that it has to run the script itself."""
    server.kill()
    server.wait()
    with forks.ask("script.py", {}) as job:
        assert job.readline() == ""


@pytest.mark.parametrize("version", ["2.13.0+cpu", "2.13.0"])
@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_where_a_gpu_may_be_nothing_is_forked(monkeypatch, tmp_path, version, there, system):
    """PyPI's torch for Linux knows CUDA, also where there is none."""
    monkeypatch.setattr(forks.metadata, "version", lambda package: version)
    monkeypatch.setattr(forks, "GPUS", ("/dev/none-such", *([str(tmp_path)] if there else [])))
    monkeypatch.setattr(forks.sys, "platform", system)
    assert forks.can() is (system == "linux" and (version.endswith("+cpu") or not there))


IMPORTS = """
import os, sys
from regrowth.run import forks
forks.import_all("{}")
others = set(os.listdir("/proc/self/task")) - set([str(os.getpid())])
print(*(name for name in ("diffusers", "transformers", "matplotlib") if name in sys.modules))
print(*sorted(open("/proc/self/task/" + task + "/comm").read().strip() for task in others))
import polars
print(polars.__name__)
"""


@pytest.mark.soak
@pytest.mark.parametrize("kind", forks.IMPORTED)
def test_what_jobs_fork_from_has_one_thread_and_for_classifiers_nothing_that_draws(kind):
    """But for the allocator's, which knows forks. Another library may look for polars, which
    starts threads; a job may import it."""
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    code = IMPORTS.format(kind)
    told = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    drawn, threads, _ = told.stdout.splitlines()
    assert drawn == ("diffusers transformers matplotlib" if kind == "pictures" else "")
    assert threads in ("", "jemalloc_bg_thd"), told.stderr


def test_few_jobs_are_not_worth_it():
    assert not forks.pay(range(forks.JOBS - 1))
    assert forks.pay(range(forks.JOBS))


@pytest.mark.parametrize("good", [True, False])
def test_a_run_hears_of_a_job_that_ends_when_nobody_reads(monkeypatch, good):
    """Snakemake's own tells it first to a stream that may be closed, in a thread whose exceptions
    nobody sees: the run then waited for ever."""

    def tells(executor, job_info, future):
        raise BrokenPipeError

    executor, future, heard = Executor.__new__(Executor), concurrent.futures.Future(), []
    monkeypatch.setattr(local.Executor, "_callback", tells)
    executor.report_job_success = lambda job: heard.append((job, "good"))
    executor.report_job_error = lambda job: heard.append((job, "bad"))
    future.add_done_callback(lambda done: executor._callback("job", done))
    future.set_result(None) if good else future.set_exception(RuntimeError())
    assert heard == [("job", "good" if good else "bad")]
