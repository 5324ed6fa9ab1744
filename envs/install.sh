#!/bin/sh
# What requirements.txt pins, into .venv, which `make` calls: sh envs/install.sh [python3 [cpu | cuda]].
# What pip or uv says is shown where it fails, all of it, and else not.
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

torch=$(grep "^torch==" requirements.txt)
build=${2:-} build_asked=${2:-}
if [ "$build" ]; then
    why="as you ask"
# Looked for as in regrowth/run/devices.py, and by nvidia-smi where the driver lists none (WSL).
elif ls /proc/driver/nvidia/gpus/* >/dev/null 2>&1 || nvidia-smi -L >/dev/null 2>&1; then
    build=cuda why="for the GPU that is here"
else
    build=cpu why="since no NVIDIA GPU is here"
fi
case $build in
    cuda) named=CUDA wanted="$torch,!=${torch#torch==}+cpu" ;;
    cpu) named="the CPU" wanted="$torch+cpu" ;;
    *) stop "TORCH=$build is no build of torch: cpu or cuda" ;;
esac
# At PyTorch's own index: what suits the machine, of any make, unless one was asked for.
backend=auto other=$torch
[ -z "$build_asked" ] || other=$wanted
[ "$build_asked" != cpu ] || backend=cpu
echo "Installing $(grep -c == requirements.txt) packages into .venv, one to five minutes;" \
    "torch is built for $named, $why"

"$python" -m venv .venv
log=.venv/install.log
trap '[ $? = 0 ] || cat "$log" >&2' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

with_pip() {
    .venv/bin/pip install --quiet --no-compile "$@"
}

# uv unpacks several at once. What pip was told of where to look, it is told here.
with_uv() {
    UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$(told index-url)} \
        UV_INDEX=${UV_INDEX:-$(told extra-index-url)} \
        UV_FIND_LINKS=${UV_FIND_LINKS:-$(told find-links | tr " " ,)} \
        UV_CONSTRAINT=${UV_CONSTRAINT:-$(told constraint)} \
        SSL_CERT_FILE=${SSL_CERT_FILE:-$(told cert)} \
        .venv/bin/uv pip install --quiet --no-cache --python .venv/bin/python \
        --index-strategy unsafe-best-match "$@"
}
told() { # the environment's comes before the files'
    .venv/bin/pip config list | sed -n "s/^[^=]*\.$1='\(.*\)'$/\1/p" | head -n 1 | sed 's/\\n/ /g'
}

add() {
    $with "$@" >"$log" 2>&1
}

# Installing would compile one file after the other, and what nobody imports as well: packages' own tests,
# other models. The library is compiled by nobody where PYTHONDONTWRITEBYTECODE is set. Some packages
# ship files that are no Python.
rare='/tests?/|/site-packages/(datasets|google|mypyc?|networkx|pip|selenium|setuptools|sqlalchemy)/'
rare="$rare|/diffusers/(modular_pipelines|pipelines/(?!stable_diffusion/)[^/]+)/"
rare="$rare|/transformers/models/(?!auto|clip|convn|dinov2|encoder_d|resnet|siglip|vit_mae)[^/]+/"
rare="$rare|/torch/(_inductor/(codegen|fx_passes|kernel|(?!exc|stand)[d-ilmps])|testing/_.*common_[^d])"
rare="$rare|/pygments/lexers/[^_dp]|/statsmodels/tsa/|/sympy/physics/"
compiled() {
    .venv/bin/python -m compileall -qq -j 0 -x "$rare" "$@" >/dev/null 2>&1 || true
}

pinned() {
    add "$@" -r requirements.txt
}

with=with_pip
if ! { add uv==0.13.9 && with=with_uv && { pinned "$wanted" || pinned --torch-backend "$backend" "$other"; }; }; then
    with=with_pip
    add --upgrade pip
    pinned "$wanted" || {
        [ -z "$build_asked" ] || stop "no index that pip or uv knows has torch built for $named"
        echo "pip's index has no such torch: taking the one that it has, which may bring gigabytes of" \
            "CUDA (pytorch.org names others, for PIP_EXTRA_INDEX_URL)"
        pinned "$torch"
    }
fi
add --no-deps -r requirements-alone.txt
compiled .venv/lib workflow_scripts &
add --no-deps --editable .
wait
