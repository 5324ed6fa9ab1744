"""Every table of the study, as parquet, CSV and LaTeX."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from regrowth.files import keys
from regrowth.files.store import (
    keys_of,
    read_arrays,
    read_hive,
    replacing,
    write_frame,
    write_text,
)
from regrowth.judge import READ_BY_CELL
from regrowth.measure import erasers, paper, tables
from regrowth.measure.cells import SCORES, without_others_erased
from regrowth.measure.frontier import frontier
from regrowth.measure.guards import guards
from regrowth.measure.headline import of_both_roles
from regrowth.measure.identified import identified
from regrowth.measure.tradeoff import tradeoff
from regrowth.run.job import start
from regrowth.run.progress import MISSING
from regrowth.show.latex import latex
from regrowth.study import variants
from regrowth.study.prompts import concerns

job = start(snakemake)
out, target = job.out, Path(snakemake.output[0]).parent
partial = snakemake.params.missing
rows = json.loads(Path(partial).read_text(encoding="utf-8"))["missing"] if partial else []
kinds = {name: judge.kind for name, judge in job.catalogue.judges.items()}
references = {
    (told["judge"], told["prompts"]): read_arrays(file)
    for file in snakemake.input.references
    for told in [keys_of(file, out / "references")]
}
sets, together = snakemake.params.sets, snakemake.params.together
scored = {file: keys_of(file, out / "scores") for file in snakemake.input.scores}


def scores(concept: str, judge: str) -> pd.DataFrame:
    """What a judge says of a concept's variants, and of models as they are on the same sets."""
    files = [
        file
        for file, told in scored.items()
        if judge in told["judges"].split("+") and concerns(told, concept, sets[concept])
    ]
    nothing = pd.DataFrame(columns=SCORES)
    found = read_hive(files, out / "scores", variants.KEYS) if files else nothing
    own = without_others_erased(found[found["judge"] == judge], together)
    return own.drop(columns=["features", "judges"], errors="ignore")


def featured(pretrained: bool) -> Iterator[pd.DataFrame]:
    """What each judge of features says, file by file: of the pretrained model, or of all."""
    for file, told in scored.items():
        if pretrained and told["variant"] != "pretrained":
            continue
        for judge in told["judges"].split("+"):
            if kinds[judge] in READ_BY_CELL:
                found = read_hive([file], out / "scores", variants.KEYS)
                own = without_others_erased(found[found["judge"] == judge], together)
                yield own.drop(columns="judges")


made = tables.of_judges(
    scores,
    featured,
    references,
    job.catalogue,
    sets,
    pd.DataFrame(rows, columns=MISSING),
)
if snakemake.input.signs:
    measured = [read_hive(snakemake.input[n], out / n) for n in ("signs", "alignment", "solves")]
    layers = job.layers(list(measured[-1]["layer"].unique()))
    sizes = {layer.name: layer.shape[0] * layer.shape[1] for layer in layers}
    made |= tables.of_attacks(*measured, sizes)
for name in ("detectability", "normality"):
    if files := snakemake.input[name]:
        told = read_hive(files, out / name).drop(columns="curve", errors="ignore")
        made[name] = told[[*keys.RELEASED, *(c for c in told if c not in keys.RELEASED)]]
if "guards" in snakemake.params.names:
    made["guards"] = guards(made["accuracy"])
if "detectability" in made:
    made["defences"] = tradeoff(of_both_roles(made), made["detectability"])
if snakemake.input.costs:
    spent = read_hive(snakemake.input.costs, out / "costs", variants.KEYS)
    spent["step"] = spent.pop("at").astype(str)
    made["frontier"] = frontier(made["accuracy"], spent, snakemake.params.control)
if snakemake.input.identified:
    guesses = read_hive(snakemake.input.identified, out / "identified")
    made["identified"] = identified(guesses)
if snakemake.input.erased:
    found = erasers.released(snakemake.input.erased, out, snakemake.params.erasers)
    made["erasers"] = erasers.erasers(made["accuracy"], made["integrity"], found.facts)
    names = list(dict.fromkeys(name for mask in found.masks.values() for name in mask))
    sizes = {of.name: of.shape[0] * of.shape[1] for of in job.layers(names)} if names else {}
    made["overlaps"] = erasers.overlaps(found.masks, sizes)
if job.study.paper:
    made["paper"] = paper.beside(made, pd.read_csv(job.root / job.study.paper, dtype=str))
for name in snakemake.params.names:
    write_frame(target / f"{name}.parquet", made[name], study=job.name)
    with replacing(target / f"{name}.csv") as part:
        made[name].to_csv(part, index=False, float_format="%.6g")
    write_text(target / f"{name}.tex", latex(made[name]))
