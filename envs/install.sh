#!/bin/sh
# What requirements.txt pins, into .venv, which `make` calls: sh envs/install.sh [python3].
# What pip says is shown where it fails, all of it, and else not.
set -eu
cd "$(dirname "$0")/.."
python=${1:-python3}

stop() {
    echo "$*" >&2
    exit 1
}

"$python" -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null ||
    stop "$python is missing or older than 3.11: install one, or name it (make PYTHON=python3.12, say)"
"$python" -c "import ensurepip, venv" 2>/dev/null ||
    stop "$python cannot make environments: apt install $("$python" -c \
        'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"

# Looked for as in regrowth/run/devices.py, and by nvidia-smi where the driver lists none (WSL).
torch=$(grep "^torch==" requirements.txt)
if ls /proc/driver/nvidia/gpus/* >/dev/null 2>&1 || nvidia-smi -L >/dev/null 2>&1; then
    build="CUDA, for the GPU that is here" wanted="$torch,!=${torch#torch==}+cpu"
else
    build="the CPU, since no NVIDIA GPU is here" wanted="$torch+cpu"
fi
echo "Installing $(grep -c == requirements.txt) packages into .venv, two to five minutes;" \
    "torch is built for $build"

"$python" -m venv .venv
log=.venv/pip.log
trap '[ $? = 0 ] || cat "$log" >&2' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

add() {
    .venv/bin/pip install --quiet --no-compile "$@" >"$log" 2>&1
}

# pip would compile one file after the other, and what nobody imports as well: packages' own tests,
# other models. The library is compiled by nobody where PYTHONDONTWRITEBYTECODE is set. Some packages
# ship files that are no Python.
rare='/tests?/|/site-packages/(datasets|google|mypyc?|networkx|pip|selenium|setuptools)/'
rare="$rare|/diffusers/(modular_pipelines|pipelines/(?!stable_diffusion/)[^/]+)/"
rare="$rare|/transformers/models/(?!auto|clip|convn|dinov2|encoder_d|resnet|siglip|vit_mae)[^/]+/"
rare="$rare|/torch/(_inductor/(codegen|fx_passes|kernel|(?!exc|stand)[d-ilmps])|testing/_.*common_[^d])"
rare="$rare|/pygments/lexers/[^_dp]|/statsmodels/tsa/|/sympy/physics/"
compiled() {
    .venv/bin/python -m compileall -qq -j 0 -x "$rare" "$@" >/dev/null 2>&1 || true
}

add --upgrade pip
add "$wanted" || {
    echo "pip's index has no such torch: taking the one that it has, which may bring gigabytes of" \
        "CUDA (pytorch.org names others, for PIP_EXTRA_INDEX_URL)"
    add "$torch"
}
compiled .venv/lib/python*/site-packages/torch & # while pip goes on
add -r requirements.txt
add --no-deps -r requirements-alone.txt
wait
compiled .venv/lib workflow_scripts &
add --no-deps --editable .
wait
