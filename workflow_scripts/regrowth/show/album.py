"""Grids of small pictures, for the report and the gallery: a row a variant, a column one seed."""

import base64
import io
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jinja2
import pandas as pd
from regrowth.files import keys
from regrowth.files.images import decode
from regrowth.files.store import keys_of, read_hive
from regrowth.measure.cells import by_variant, for_concept
from regrowth.study import variants
from regrowth.study.catalogue import Catalogue
from regrowth.study.prompts import concerns


def anchor(names: Iterable[str]) -> str:
    """What leads to a row of a page: "church/max-K0.6"."""
    return "/".join(re.sub(r"[^\w.]+", "-", name.replace("=", "")) for name in names)


#: Templates, style and script of every page, and the figures' captions.
PAGE = Path(__file__).with_name("page")
TEMPLATES = jinja2.Environment(
    autoescape=True, trim_blocks=True, lstrip_blocks=True, loader=jinja2.FileSystemLoader(PAGE)
)
TEMPLATES.filters["slug"] = keys.slug
TEMPLATES.filters["anchor"] = anchor
#: Pictures on one page, more or less: at 4 kB each, so that it loads at once.
BUDGET = 1500
SIDE = 128
#: In a concept's folder of the gallery: what the index says of it.
CONTENTS = "contents.json"
_PICTURE = ["prompt", "seed"]


def source(cell: dict, side: int = SIDE) -> str:
    """A picture as a `data:` address, in WebP, at most `side` wide and high."""
    picture = decode(cell)
    picture.thumbnail((side, side))
    buffer = io.BytesIO()
    picture.save(buffer, format="WEBP", quality=82, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def grid(frame: pd.DataFrame, first: int = 0, columns: int = 8) -> dict:
    """The pictures of columns `first` to `first + columns` of one concept and one prompt set.

    frame: the keys of a variant, prompt, seed, src (as `source` makes it). The first variant says
    which columns there are. Returns columns, dicts of prompt and seed, and lines, dicts of
    `variant` (its keys), `label`, `plain` (without a defence) and `pictures`: `src` and `alt` for
    each column, or None.
    """
    groups = by_variant(frame)
    wanted = groups[0][1].drop_duplicates(_PICTURE).iloc[first : first + columns]
    lines = []
    for variant, part in groups:
        label = variants.label(variant)
        found = part.drop_duplicates(_PICTURE).set_index(_PICTURE)["src"]
        pictures = [
            {"src": found[at], "alt": f"{label}: {at[0]}, seed {at[1]}"}
            if at in found.index
            else None
            for at in wanted[_PICTURE].itertuples(index=False, name=None)
        ]
        plain = variant["defence"] == keys.NONE
        lines.append({"variant": variant, "label": label, "plain": plain, "pictures": pictures})
    return {"columns": wanted[_PICTURE].to_dict("records"), "lines": lines}


def columns_for(lines: int, most: int = 8) -> int:
    """How many pictures a line may have for a page of so many lines to stay within BUDGET."""
    return max(2, min(most, BUDGET // max(lines, 1)))


def of_concept(
    file: str | Path, root: Path, catalogue: Catalogue, concept: str, sets: list[str]
) -> pd.DataFrame:
    """The pictures of one shard below `root` that judge a concept, with their role."""
    return for_concept(read_hive([file], root, variants.KEYS), catalogue, concept, sets)


def erased(files, root: Path, catalogue: Catalogue, concept: str, sets: list[str]) -> pd.DataFrame:
    """Of many shards, read one at a time, the pictures in which the concept should not show."""
    own = [f for f in files if concerns(keys_of(f, root), concept, sets)]
    frames = (of_concept(file, root, catalogue, concept, sets) for file in own)
    return pd.concat([frame[frame["role"] == "erased"] for frame in frames], ignore_index=True)


def small(file, root: Path, catalogue: Catalogue, concept: str, sets: list[str], threads: int):
    """`of_concept` with `src` for a page instead of the pictures as they are."""
    frame = of_concept(file, root, catalogue, concept, sets)
    with ThreadPoolExecutor(threads) as pool:
        src = list(pool.map(source, frame["image"]))
    return frame.assign(src=src).drop(columns="image")


def gallery(
    study: str, concept: str, frame: pd.DataFrame, most: int = 48
) -> Iterator[tuple[dict, Iterator[tuple[str, str]]]]:
    """Every picture of a concept as pages: for each role and prompt set what the index says of it
    and its pages, (file name, HTML).

    frame: the keys of a variant, prompt_set, role, class, prompt, seed, src, unsafe. A page has a
    grid for each class, `most` seeds at once or fewer.
    """
    page = TEMPLATES.get_template("gallery.html.j2")
    for (role, name), part in frame.groupby(["role", "prompt_set"]):
        classes = list(part.groupby("class", sort=False))
        lines = sum(len(some.drop_duplicates(list(variants.KEYS))) for _, some in classes)
        columns = columns_for(lines, most)
        seeds = max(len(some.drop_duplicates(_PICTURE)) for _, some in classes)
        starts = range(0, seeds, columns)
        files = [f"{role}-{name}-{i + 1}.html" for i in range(len(starts))]
        told = {"concept": concept, "role": role, "prompt_set": name, "files": files}

        def pages(classes=classes, starts=starts, columns=columns, name=name, told=told):
            for i, start in enumerate(starts):
                grids = [
                    grid(some, start, columns)
                    | {"concept": shown, "prompt_set": name, "unsafe": bool(some["unsafe"].any())}
                    for shown, some in classes
                ]
                grids = [one for one in grids if one["columns"]]
                yield told["files"][i], page.render(study=study, at=i, grids=grids, **told)

        yield told | {"pictures": len(part)}, pages()


def index(study: str, contents: list[dict]) -> str:
    """The gallery's first page. contents: what `gallery` tells of each concept's pages."""
    return TEMPLATES.get_template("index.html.j2").render(study=study, index=contents)
