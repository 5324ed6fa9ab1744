"""Every picture of the study on pages by concept and prompt set."""

from pathlib import Path

import pandas as pd
from regrowth import album, job
from regrowth.prompts import is_unsafe
from regrowth.store import keys_of, read_hive, write_text
from regrowth.tables import for_concept, names_of

study = job.start(snakemake)
out, names = Path("results", study.study.study), names_of(study.catalogue)


def small(files, folder: str) -> pd.DataFrame:
    """The pictures of some shards, small; one shard at a time, since they are large as they are."""
    frames = []
    for file in files:
        frame = read_hive([file], out / folder)
        frames.append(frame.assign(src=frame["image"].map(album.source)).drop(columns="image"))
    return pd.concat(frames, ignore_index=True)


def of_concepts():
    for concept, sets in snakemake.params.sets.items():
        frames = []
        for folder in ("images", "thumbnails"):
            own = [
                file
                for file in snakemake.input[folder]
                if keys_of(file, out / folder)["concept"] in (concept, "none")
            ]
            frames += [small(own, folder)] if own else []
        pictures = pd.concat(frames, ignore_index=True)
        unsafe = {
            name: is_unsafe(study.catalogue, name) for name in pictures["prompt_set"].unique()
        }
        pictures["unsafe"] = pictures["prompt_set"].map(unsafe)
        yield names[concept], for_concept(pictures, study.catalogue, concept, sets)


for name, page in album.gallery(study.study.study, of_concepts()):
    write_text(Path(snakemake.output[0], name), page)
