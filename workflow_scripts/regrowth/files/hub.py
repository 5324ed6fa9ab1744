"""Where things lie: a local path, or what is already in the hub's cache. Nothing is downloaded."""

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

#: What a model is called that is one file, not a directory.
SINGLE = (".safetensors", ".ckpt", ".pt", ".pth", ".bin")
#: Of a model on the hub, what is loaded: no other formats, precisions or training's own weights.
LOADED = (
    '--include "*.json" --include "*.txt" --include "*model.safetensors" '
    '--exclude "safety_checker/*"'
)


def expanded(path: str) -> str:
    """A path as a user writes it, with `~` and `$NAME` or `${NAME}` filled in if they are known."""
    return os.path.expandvars(os.path.expanduser(path))


def nowhere(path: str, root: Path) -> str:
    """That a path of a user's leads nowhere, and what may be wrong with it."""
    unknown = re.findall(r"\$\{?(\w+)", path)
    if unknown:
        return f"no {path}: the environment has no {unknown[0]}"
    if path.startswith("~"):
        return f"no {path}: nobody here is called {path.split('/')[0][1:]!r}"
    where = "" if Path(path).is_absolute() else f" in {root}, where relative paths start"
    return f"no {path}{where}"


@lru_cache
def directory(path: str, revision: str | None, marker: str, root: Path) -> Path:
    """A directory that holds `marker`: local (relative to `root`), or a hub id in the cache.

    Raises FileNotFoundError that says what to download and how.
    """
    local = root / path
    if (local / marker).is_file():
        return local
    if local.is_dir():
        raise FileNotFoundError(f"{local} holds no {marker}: is it the directory that was saved?")
    if local.is_file():
        how = "StableDiffusionPipeline.from_single_file(file).save_pretrained(directory)"
        hint = f": save it as one, with diffusers' {how}" if marker == "model_index.json" else ""
        raise FileNotFoundError(f"{local} is a single file; a directory is wanted{hint}")
    if "://" in path:
        raise FileNotFoundError(
            f"{path} is an address; wanted: a directory, or a hub id (owner/name)"
        )
    if not _hub_id(path):
        raise FileNotFoundError(nowhere(path, root))
    from huggingface_hub import snapshot_download

    found = _cached(snapshot_download, path.rstrip("/"), revision, "")
    if not (found / marker).is_file():
        raise FileNotFoundError(f"{found} holds no {marker}: download {path} anew")
    return found


@lru_cache
def file(path: str, hub: str | None, revision: str | None, root: Path) -> Path:
    """A file: local (relative to `root`), or `path` in the hub's data set `hub`, in the cache.

    Raises FileNotFoundError as `directory` does.
    """
    if hub is None:
        if not (root / path).is_file():
            raise FileNotFoundError(
                f"{nowhere(path, root)}; say in the study where it lies, under local"
            )
        return root / path
    from huggingface_hub import hf_hub_download

    return _cached(hf_hub_download, hub, revision, path, repo_type="dataset", filename=path)


def _hub_id(path: str) -> bool:
    named = re.fullmatch(r"\w[\w.-]*/\w[\w.-]*/?", path)
    return bool(named) and not re.search(r"--|\.\.", path) and not path.endswith(SINGLE)


def _cached(get: Any, name: str, revision: str | None, path: str, **kwargs: Any) -> Path:
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(get(name, revision=revision, local_files_only=True, **kwargs))
    except HFValidationError:
        raise FileNotFoundError(f"{name} is neither a path nor a hub id (owner/name)") from None
    except LocalEntryNotFoundError:
        words = ["hf download", name, path]
        words += ["--repo-type dataset"] if "repo_type" in kwargs else []
        words += [f"--revision {revision}"] if revision else []
        words += [] if path else [LOADED]
        raise FileNotFoundError(
            f"{name} is neither in the checkout nor in the hub's cache; download it first "
            f"({' '.join(w for w in words if w)}), or say in the study where it lies, under local"
        ) from None
