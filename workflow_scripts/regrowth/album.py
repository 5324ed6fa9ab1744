"""Grids of small pictures, for the report and the gallery: a row a variant, a column one seed."""

import base64
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import jinja2
import pandas as pd
from regrowth import keys
from regrowth.images import decode
from regrowth.tables import by_variant

#: Templates, style and script of every page, and the figures' captions.
PAGE = Path(__file__).with_name("page")
TEMPLATES = jinja2.Environment(
    autoescape=True, trim_blocks=True, lstrip_blocks=True, loader=jinja2.FileSystemLoader(PAGE)
)
TEMPLATES.filters["slug"] = keys.slug
#: Pictures on one page, more or less: at 4 kB each, so that it loads at once.
BUDGET = 1500
SIDE = 128
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
        label = keys.label(variant)
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


def gallery(
    study: str, frames: Iterable[tuple[str, pd.DataFrame]], most: int = 48
) -> Iterator[tuple[str, str]]:
    """Every picture of a study as pages, (file name, HTML), the index last.

    frames: (concept, the keys of a variant, prompt_set, role, class, prompt, seed, src, unsafe). A
    page has the grids of one concept and prompt set, a grid a class, `most` seeds at once or fewer.
    """
    page, index = TEMPLATES.get_template("gallery.html.j2"), []
    for concept, frame in frames:
        for (role, name), part in frame.groupby(["role", "prompt_set"]):
            classes = list(part.groupby("class", sort=False))
            lines = sum(len(some.drop_duplicates(list(keys.VARIANT))) for _, some in classes)
            columns = columns_for(lines, most)
            seeds = max(len(some.drop_duplicates(_PICTURE)) for _, some in classes)
            starts = range(0, seeds, columns)
            files = [f"{keys.slug(concept)}-{role}-{name}-{i + 1}.html" for i in range(len(starts))]
            told = {"concept": concept, "role": role, "prompt_set": name, "files": files}
            index.append(told | {"pictures": len(part)})
            for i, start in enumerate(starts):
                grids = [
                    grid(some, start, columns)
                    | {"concept": shown, "prompt_set": name, "unsafe": bool(some["unsafe"].any())}
                    for shown, some in classes
                ]
                grids = [one for one in grids if one["columns"]]
                yield files[i], page.render(study=study, at=i, grids=grids, **told)
    yield "index.html", TEMPLATES.get_template("index.html.j2").render(study=study, index=index)
