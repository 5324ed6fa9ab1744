"""What `make` installs with, and what containers are made of: words, torch and pins."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PINNED = ("requirements.txt", "requirements-alone.txt")
TORCH = re.search(r"^torch==(.*)$", (ROOT / PINNED[0]).read_text(encoding="utf-8"), re.M)[1]
SCRIPT = (ROOT / "envs/install.sh").read_text(encoding="utf-8")
UV = (
    "uv pip install --quiet --no-cache --python .venv/bin/python --index-strategy unsafe-best-match"
)
PIP = "pip install --quiet --no-compile"
HAS_GPU = Path("/proc/driver/nvidia/gpus").is_dir() or shutil.which("nvidia-smi")

#: A Python whose environments have a pip and a uv that write down what they are asked for.
PYTHON = """#!/bin/sh
case "$*" in
    *version_info*) exec {python} "$@" ;;
    *ensurepip*) exit {lacking} ;;
    "-m venv .venv")
        mkdir -p .venv/bin
        for name in pip uv python; do cp asked.sh .venv/bin/$name; done ;;
    *) exit 9 ;;
esac
"""
ASKED = """#!/bin/sh
if [ "$*" = "config list" ]; then cat config; exit; fi
echo "${{0##*/}} $@" >> asked
case "$0" in *uv) env | grep -E "^(UV_|SSL_CERT_FILE)" | sort > places ;; esac
echo "a warning"
case "${{0##*/}} $*" in {fails}) echo "ERROR: the whole reason"; exit 1 ;; esac
"""


#: What pip is told of where to look, as it lists it, and where uv is to look then.
CONFIG = r"""
:env:.find-links='/wheels /more'
global.cert='/certs.pem'
global.constraint='/constraints.txt'
global.extra-index-url='https://one/simple\nhttps://two/simple'
global.find-links='/others'
global.index-url='https://main/simple'
"""
PLACES = """\
SSL_CERT_FILE=/certs.pem
UV_CONSTRAINT=/constraints.txt
UV_DEFAULT_INDEX=https://main/simple
UV_FIND_LINKS=/wheels,/more
UV_INDEX=https://one/simple https://two/simple
"""


@pytest.fixture
def install(tmp_path):
    """(exit status, standard output, standard error, what was asked of pip, uv and Python).
    build: of torch, if one is named; fails: a shell's pattern of what cannot be done."""

    def run(*build, lacking=0, fails="nothing", gpu=False):
        (tmp_path / "envs").mkdir()
        shutil.copy(ROOT / "envs/install.sh", tmp_path / "envs")
        for name in PINNED:
            shutil.copy(ROOT / name, tmp_path)
        programs = {"python": PYTHON.format(python=sys.executable, lacking=lacking)}
        programs |= {"asked.sh": ASKED.format(fails=fails), "config": CONFIG}
        programs |= {"nvidia-smi": "#!/bin/sh\n"} if gpu else {}
        for name, text in programs.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
            (tmp_path / name).chmod(0o755)
        own = ("UV_", "SSL_CERT_FILE")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(own)}
        done = subprocess.run(
            ["sh", tmp_path / "envs/install.sh", tmp_path / "python", *build],
            capture_output=True,
            text=True,
            env=clean | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        )
        asked = tmp_path / "asked"
        asked = asked.read_text(encoding="utf-8").splitlines() if asked.exists() else []
        return done.returncode, done.stdout, done.stderr, asked

    return run


@pytest.mark.skipif(bool(HAS_GPU), reason="this machine has an NVIDIA GPU")
def test_without_a_gpu_torch_is_the_cpu_s_and_one_line_is_said(install):
    status, told, errors, asked = install()
    assert status == 0 and not errors
    assert re.fullmatch(r"Installing \d+ packages .* minutes; torch is built for the CPU.*\n", told)
    assert [a for a in asked if "torch==" in a] == [f"{UV} torch=={TORCH}+cpu -r {PINNED[0]}"]
    first, *rest = [a for a in asked if " install " in a]
    assert first.startswith(f"{PIP} uv==") and all(a.startswith(UV) for a in rest)
    assert [a.split()[-1] for a in rest] == [*PINNED, "."]
    (compiled,) = [a for a in asked if " -m compileall " in a]
    assert compiled.endswith("workflow_scripts") and len(asked) == len(rest) + 2


def test_where_pip_looks_uv_looks(install, tmp_path):
    assert install()[0] == 0
    assert (tmp_path / "places").read_text(encoding="utf-8") == PLACES


#: Files of packages that no study imports, by which installing does not compile them.
RARE = re.compile("".join(re.findall(r"""^rare=['"](?:\$rare)?(.*)['"]$""", SCRIPT, re.M)))


@pytest.mark.parametrize(
    "file, is_rare",
    [
        ("transformers/models/bert/modeling_bert.py", True),
        ("transformers/models/clip/modeling_clip.py", False),
        ("diffusers/pipelines/flux/pipeline_flux.py", True),
        ("diffusers/pipelines/stable_diffusion/pipeline_stable_diffusion.py", False),
        ("diffusers/pipelines/pipeline_utils.py", False),
        ("networkx/convert.py", True),
        ("pandas/tests/test_algos.py", True),
        ("pandas/core/algorithms.py", False),
        ("torch/nn/modules/linear.py", False),
    ],
)
def test_only_what_is_rarely_imported_is_not_compiled(file, is_rare):
    assert bool(RARE.search(f".venv/lib/python3.13/site-packages/{file}")) == is_rare


@pytest.mark.soak
def test_what_is_not_compiled_beforehand_is_what_no_study_imports():
    program = "import sys, regrowth.run.forks; regrowth.run.forks.import_all()\n"
    program += "for m in list(sys.modules.values()): print(getattr(m, '__file__', None))"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout
    files = [file for file in told.splitlines() if file.endswith(".py")]
    assert len(files) > 2000 and not [file for file in files if RARE.search(file)]


def test_with_a_gpu_torch_is_not_the_cpu_s(install):
    status, told, errors, asked = install(gpu=True)
    assert status == 0 and "built for CUDA" in told
    assert f"{UV} torch=={TORCH},!={TORCH}+cpu -r {PINNED[0]}" in asked


@pytest.mark.parametrize(
    "build, wanted, backend",
    [
        ("cuda", f"torch=={TORCH},!={TORCH}+cpu", "auto"),
        ("cpu", f"torch=={TORCH}+cpu", "cpu"),
    ],
)
def test_the_build_of_torch_that_is_asked_for_comes_whatever_the_machine_has(
    install, build, wanted, backend
):
    status, told, errors, asked = install(build, gpu=build == "cpu", fails="*torch==*")
    looked = [a for a in asked if "torch==" in a]
    assert status != 0 and "as you ask" in told
    assert looked == [
        f"{UV} {wanted} -r {PINNED[0]}",
        f"{UV} --torch-backend {backend} {wanted} -r {PINNED[0]}",
        f"{PIP} {wanted} -r {PINNED[0]}",
    ]
    assert "has torch built for" in errors


def test_a_build_that_there_is_not_is_refused_before_anything_is_installed(install):
    assert install("rocm")[1:] == ("", "TORCH=rocm is no build of torch: cpu or cuda\n", [])


def test_make_tells_the_build_that_it_is_asked_for():
    command = ["make", "-nB", ".venv/ready", "PYTHON=python3", "TORCH=cuda"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    assert "sh envs/install.sh python3 cuda\n" in told


@pytest.mark.skipif(bool(HAS_GPU), reason="this machine has an NVIDIA GPU")
@pytest.mark.parametrize(
    "fails, taken, is_told",
    [
        ("*+cpu*", f"{UV} --torch-backend auto torch=={TORCH}", False),
        ("uv*", f"{PIP} torch=={TORCH}+cpu", False),
        ("*uv==*", f"{PIP} torch=={TORCH}+cpu", False),
        ("*backend*|*+cpu*", f"{PIP} torch=={TORCH}", True),
    ],
    ids=["PyTorch's own index", "uv cannot", "no uv", "what pip has"],
)
def test_torch_is_looked_for_elsewhere(install, fails, taken, is_told):
    """At PyTorch's, then by pip in uv's place, and last whatever torch the index has."""
    status, told, errors, asked = install(fails=fails)
    assert status == 0 and not errors and ("has no such torch" in told) == is_told
    assert [a for a in asked if "torch==" in a][-1] == f"{taken} -r {PINNED[0]}"
    with_what = UV if taken.startswith(UV) else PIP
    assert f"{with_what} --no-deps --editable ." in asked


def test_an_error_is_told_in_full_and_ends_it(install):
    status, told, errors, asked = install(fails='*" -r requirements.txt"')
    assert status != 0 and errors == "a warning\nERROR: the whole reason\n"
    assert asked[-1].startswith(PIP) and asked[-1].endswith("-r requirements.txt")


def test_a_python_without_venv_is_told_which_package_to_install(install):
    status, told, errors, asked = install(lacking=1)
    major, minor = sys.version_info[:2]
    assert status != 0 and not told and not asked
    assert errors.count("\n") == 1
    assert errors.endswith(f"cannot make environments: apt install python{major}.{minor}-venv\n")


def steps(file: str) -> list[tuple[str, str]]:
    """A Dockerfile's instructions with what they are given, continued lines joined."""
    text = (ROOT / file).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, " ".join(rest.split())) for word, _, rest in (s.partition(" ") for s in lines)]


def sections(file: str) -> dict[str, list[str]]:
    """An Apptainer definition: its header as "", and its sections, line by line."""
    found: dict[str, list[str]] = {"": []}
    at = found[""]
    for line in map(str.strip, (ROOT / file).read_text(encoding="utf-8").splitlines()):
        if line.startswith("%"):
            at = found.setdefault(line[1:], [])
        elif line and not line.startswith("#"):
            at.append(line)
    return found


def test_containers_have_the_python_and_the_pins_of_the_other_environments():
    docker, apptainer = steps("envs/Dockerfile"), sections("envs/regrowth.def")
    assert docker[0][0] == "FROM" and {word for word, _ in docker[1:]} <= {
        *("COPY", "RUN", "ENV", "WORKDIR")
    }
    conda = yaml.safe_load((ROOT / "envs/regrowth.yaml").read_text(encoding="utf-8"))
    (python,) = (p for p in conda["dependencies"] if str(p).startswith("python="))
    image = f"python:{python.removeprefix('python=')}-slim"
    assert docker[0] == ("FROM", image)
    assert apptainer[""] == ["Bootstrap: docker", f"From: {image}"]

    (told,) = (rest for word, rest in docker if word == "ENV")
    own = dict(pair.split("=") for pair in told.split())
    assert own == {"HOME": "/tmp", "USER": own["USER"], "PYTHONPATH": "/work/workflow_scripts"}
    copied = next(rest for word, rest in docker if word == "COPY")
    assert copied == f"{' '.join(PINNED)} /opt/"
    assert apptainer["files"] == [f"{name} /opt/" for name in PINNED]
    runs = next(rest for word, rest in docker if word == "RUN").split(" && ")
    assert (
        runs
        == apptainer["post"]
        == [
            "pip install --no-cache-dir -r /opt/requirements.txt",
            "pip install --no-cache-dir --no-deps -r /opt/requirements-alone.txt",
        ]
    )
