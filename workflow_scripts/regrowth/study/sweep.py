"""The sweep: a study's cells, and the files that each job reads. It knows no Snakemake.

A cell is the keys of a variant and a bundle of prompt sets. Jobs are told of by their wildcards,
any mapping; of a variant these hold all that stands behind "variant=": "revived/detector=zeros/…".
"""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar

from regrowth.attack import KNOWLEDGE, VARIANTS, needed
from regrowth.defend import FILLS
from regrowth.draw import GUARDS
from regrowth.erase import ERASERS
from regrowth.files import keys
from regrowth.files.keys import NONE, RELEASED
from regrowth.judge import FEATURES, JUDGES
from regrowth.models.disk import Layer, parts
from regrowth.study import prompts, variants
from regrowth.study.catalogue import Catalogue, concepts_of
from regrowth.study.config import Study
from regrowth.study.variants import Cell

Wildcards = Mapping[str, str]
Files = Callable[[Wildcards], list[str]]
Input = TypeVar("Input", bound=Callable[..., Any])
DETECTED = (*RELEASED, "detector")
ATTACKED = (*DETECTED, "solver")


def inspected(function: Input) -> Input:
    """An input function with its signature at hand: Snakemake inspects it twice for every job."""
    function.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return function


@dataclass(frozen=True, eq=False)
class Sweep:
    """asked: the variants. sets: concept → the prompt sets that judge it. made: of a table of what
    is there, the files that are; None: all."""

    study: Study
    catalogue: Catalogue
    root: Path
    layers: tuple[Layer, ...]
    asked: tuple[Cell, ...]
    cells: tuple[Cell, ...]
    sets: dict[str, list[str]]
    made: frozenset[str] | None = None

    @classmethod
    def of(cls, study: Study, catalogue: Catalogue, layers: Iterable[Layer], root: Path) -> "Sweep":
        """Every variant with each bundle that it draws; models as they are draw each set alone."""
        asked = variants.of_sweep(study.sweep, study.weight_seed, study.attacks)
        cells = [
            cell | {"prompts": bundle}
            for cell, wanted in asked
            for bundle in prompts.bundles_of(study, catalogue, cell["concept"], wanted, root)
        ]
        sets = {
            c: prompts.pretrained_sets([cell["prompts"] for cell in cells if cell["concept"] == c])
            for c in dict.fromkeys(cell["concept"] for cell, _ in asked)
        }
        alone = {"pretrained": [s for some in sets.values() for s in some]}
        for name, baseline in study.baselines.items():
            alone[name] = [s for c in baseline.concepts for s in sets.get(keys.slug(c), ())]
        cells += [
            variants.PRETRAINED | {"variant": name, "prompts": piece}
            for name, wanted in alone.items()
            for piece in prompts.pretrained_sets(wanted)
        ]
        found = tuple(cell for cell, _ in asked), tuple(cells), sets
        return cls(study, catalogue, root, tuple(layers), *found)

    def there(self, made: Iterable[str]) -> "Sweep":
        """The same study, shrunk to the cells that are whole. made: the files that are there."""
        made = frozenset(made)
        cells = tuple(cell for cell in self.cells if made.issuperset(self.scores_of(cell)))
        drawn = {tuple(cell[key] for key in variants.KEYS) for cell in cells}
        asked = tuple(cell for cell in self.asked if tuple(cell.values()) in drawn)
        alone = {cell["prompts"] for cell in cells if cell["concept"] == NONE}
        begun = {cell["concept"] for cell in asked}
        kept = {c: [s for s in some if c in begun or s in alone] for c, some in self.sets.items()}
        sets = {c: some for c, some in kept.items() if some}
        return replace(self, asked=asked, cells=cells, sets=sets, made=made)

    def of_those(self, files: Iterable[str]) -> list[str]:
        """Of the files, those that are there when tables are made of what is there."""
        return [file for file in files if self.made is None or file in self.made]

    # What there is

    @property
    def out(self) -> str:
        return f"results/{self.study.study}"

    @cached_property
    def parts(self) -> dict[str, list[Layer]]:
        return parts(list(self.layers), self.study.layers_per_job)

    @property
    def concepts(self) -> list[str]:
        return list(self.sets)

    @property
    def begun(self) -> list[str]:
        """The concepts that a variant is made of."""
        return list(dict.fromkeys(cell["concept"] for cell in self.asked))

    @cached_property
    def bundles(self) -> list[str]:
        return list(dict.fromkeys(cell["prompts"] for cell in self.cells))

    @cached_property
    def deleted(self) -> list[str]:
        """The bundles whose pictures are unsafe, and gone once they are judged."""
        unsafe = [b for b in self.bundles if prompts.is_unsafe(self.catalogue, b)]
        return [] if self.study.keep_unblurred else unsafe

    @property
    def shows_unsafe(self) -> bool:
        """Whether unsafe pictures are kept, and shown as they are."""
        unsafe = any(prompts.is_unsafe(self.catalogue, b) for b in self.bundles)
        return self.study.keep_unblurred and unsafe

    @property
    def guarded(self) -> bool:
        """Whether some pictures are drawn through a guard."""
        return any(cell["defence"] in GUARDS for cell in self.asked)

    def steers_from(self, cell: Wildcards) -> Cell:
        """The word that the implicit guard of a released model steers away from: the variant that
        learns it."""
        told = self.study.implicit
        learnt = {"variant": "inversion", "lr": keys.number(told.lr), "step": str(told.step)}
        own = {key: cell[key] for key in RELEASED}
        return variants.PRETRAINED | variants.released_of(variants.unguarded(own)) | learnt

    @cached_property
    def steered_from(self) -> list[Cell]:
        """Every such word that the study asks for."""
        asked = (v for v in self.asked if "guard" in needed(v) or learnt(v["defence"]))
        return [self.steers_from(cell) for cell in asked]

    @property
    def objects(self) -> list[str]:
        """The concepts that are objects."""
        families = {c: concepts_of(self.catalogue)[c][0] for c in self.concepts}
        return [c for c, f in families.items() if self.catalogue.families[f].kind == "object"]

    @cached_property
    def signs(self) -> list[str]:
        """Released models without a defence × solvers, and the blind attack where it is asked for,
        whose signs are measured: their folders."""
        made = [variants.released_of(variants.unguarded(v)) for v in self.asked]
        released = {tuple(r.items()) for r in made if r["eraser"] in self.masked}
        blind = [v for v in self.asked if v["variant"] == "blind" and v["detector"] == "zeros"]
        by_blind = {tuple(variants.released_of(variants.unguarded(v)).items()) for v in blind}
        found = [
            keys.path(dict(cell) | {"detector": "zeros", "solver": solver})
            for cell in sorted(released)
            if dict(cell)["defence"] == NONE
            for solver in [*self.study.signs.solvers, *(["blind"] if cell in by_blind else [])]
        ]
        return [c for c in found if self.of_those([f"{self.out}/signs/{c}/accuracy.parquet"])]

    @cached_property
    def defended(self) -> list[str]:
        """Released models with a defence: their folders."""
        own = (variants.released_of(v) for v in self.asked if v["defence"] in FILLS)
        found = dict.fromkeys(map(keys.path, own))
        at = f"{self.out}/detectability/{{}}/detectability.parquet".format
        return [c for c in found if self.of_those([at(c)])]

    @cached_property
    def compared(self) -> dict[tuple[str, str], list[str]]:
        """Where a study has several erasers: by concept and eraser the files of its masks, or that
        of its edit."""
        pairs = dict.fromkeys((cell["concept"], cell["eraser"]) for cell in self.asked)
        edits, found = self.edits, {}
        pairs = {pair: None for pair in pairs if pair[1] in (*edits, *self.masked)}
        for concept, eraser in pairs if len({eraser for _, eraser in pairs}) > 1 else ():
            cell = dict(zip(RELEASED, (concept, eraser, *[NONE] * 3)))
            where = self.parts_of("released") if eraser in edits else self.masks_of
            files = where(cell)
            if self.of_those(files) == files:
                found[concept, eraser] = files
        return found

    @cached_property
    def costs(self) -> list[str]:
        """What each training of an attacker spent: its file."""
        trained = (v for v in self.asked if VARIANTS[v["variant"]].within)
        files = dict.fromkeys(variants.costs(v) for v in trained)
        return self.of_those(f"{self.out}/costs/{file}" for file in files)

    @cached_property
    def seen(self) -> list[str]:
        """For each concept that is attacked with pictures of other things, whether its first judge
        sees it in them: a file."""
        found: dict[str, None] = {}
        for cell in (cell for cell in self.asked if "auxiliary" in needed(cell)):
            for judge in self.counting(cell["concept"])[:1]:
                own = {"concept": cell["concept"], "data": "auxiliary", "judge": judge}
                found[f"{self.out}/seen/{keys.path(own)}/seen.parquet"] = None
        return self.of_those(found)

    def counting(self, concept: str) -> list[str]:
        """The judges whose answers about a concept are rates."""
        names = (j for s in self.sets[concept] for j in prompts.judges_of(self.catalogue, s))
        known = self.catalogue.judges
        return [name for name in dict.fromkeys(names) if JUDGES[known[name].kind].by]

    @cached_property
    def identified(self) -> list[str]:
        """Released models whose concept is guessed: their folders."""
        if not self.study.identify:
            return []
        made = (variants.released_of(variants.unguarded(v)) for v in self.asked)
        known = {*self.edits, *self.masked} - {*self.study.controls.values()}
        told = (r for r in made if r["eraser"] in known)
        found = dict.fromkeys(keys.path(r) for r in told if r["defence"] == NONE)
        at = f"{self.out}/identified/{{}}/identified.parquet".format
        return [c for c in found if self.of_those([at(c)])]

    # What wildcards may be

    @property
    def variant_pattern(self) -> str:
        """What stands behind "variant=": a model as it is, or a variant and its own keys."""
        own = {name: "".join(f"/{key}=[^/]+" for key in v.keys) for name, v in VARIANTS.items()}
        named = [*(re.escape(name) + rest for name, rest in own.items())]
        return "|".join([*named, "pretrained", *map(re.escape, self.study.baselines)])

    def erasers(self, how: str) -> list[str]:
        """What the erasers are called that come to what is released so: as `Eraser.how`."""
        own = self.study.erasers
        return [name for name in own.names() if ERASERS[own.kind(name)].how == how]

    @cached_property
    def edits(self) -> list[str]:
        """What the erasers are called that leave no holes."""
        own = self.study.erasers
        return [name for name in own.names() if not ERASERS[own.kind(name)].holes]

    @cached_property
    def masked(self) -> list[str]:
        """What the erasers are called that leave holes and say where."""
        other = (*self.edits, *self.erasers("hidden"))
        return [name for name in self.study.erasers.names() if name not in other]

    def as_it_is(self, variant: str) -> bool:
        """Whether a variant is a model as it is, with none of its weights replaced."""
        return variant == "pretrained" or variant in self.study.baselines

    # What is read

    def scores_of(self, cell: Cell) -> list[str]:
        at = f"{self.out}/scores/{variants.path(cell)}/prompts={cell['prompts']}"
        some = self.judges_of(cell["prompts"])
        return [f"{at}/judges={names}/scores.parquet" for names in some]

    def judges_of(self, bundle: str) -> list[str]:
        """The judges of each job that scores a bundle: "objects+clip"."""
        judges, n = prompts.judges_of(self.catalogue, bundle), self.study.judges_per_job
        return ["+".join(judges[i : i + n]) for i in range(0, len(judges), n)]

    def rows(self, bundle: str) -> list[prompts.Row]:
        return _rows(self, bundle)

    def shards_of(self, cell: Wildcards, folder: str) -> list[str]:
        n = prompts.shard_count(len(self.rows(cell["prompts"])), self.study.images.shard)
        at = f"{self.out}/{folder}/{variants.path(cell)}/prompts={cell['prompts']}"
        return [f"{at}/shard={i:03d}.parquet" for i in range(n)]

    @inspected
    def images_of(self, wildcards: Wildcards) -> list[str]:
        """Every shard of the variant and bundle that a judge is to score."""
        return self.shards_of(cell_of(wildcards), "images")

    def parts_of(self, folder: str, *more: str) -> Files:
        """Input function: every part below `folder` for the job's released model; more: of its
        other keys, those that stand in the path."""

        @inspected
        def files(wildcards: Wildcards) -> list[str]:
            own = variants.unguarded({key: wildcards[key] for key in (*RELEASED, *more)})
            cell = variants.released_of(own) | {key: own[key] for key in more}
            at = f"{self.out}/{folder}/{keys.path(cell)}"
            if folder == "released" and cell["eraser"] in edited:
                return [f"{at}/edit.safetensors"]
            return [f"{at}/part={part}.safetensors" for part in self.parts]

        edited = self.edits
        return files

    @inspected
    def masks_of(self, wildcards: Wildcards) -> list[str]:
        at = f"{self.out}/masks/{keys.path({k: wildcards[k] for k in RELEASED[:2]})}"
        return [f"{at}/part={part}.safetensors" for part in self.parts]

    def known_to(self, variant: str) -> Callable[[Wildcards], dict[str, list[str]]]:
        """Input function: what the maker of a variant is given, by `Variant.needs`."""

        def lesson(data: str) -> Files:
            at = f"{self.out}/lessons/concept={{}}/data={data}/latents.safetensors"
            return lambda wildcards: [at.format(wildcards["concept"])]

        given: dict[str, tuple[str, Files]] = {
            "weights": ("released", self.parts_of("released")),
            "prompts": ("prompts", lambda wildcards: []),  # no file: a rule's params
            "auxiliary": ("lesson", lesson("auxiliary")),
            "classifier": ("classifier", lambda wildcards: []),  # no file of a study: a folder
            "base": ("base", lambda wildcards: []),  # likewise
            "concept": ("lesson", lesson("concept")),
            "judge": ("judge", lambda wildcards: []),  # who looks at pictures, when there are some
            "guard": ("guard", lambda wildcards: [self.guard_of(wildcards)]),
            "truth": ("masks", self.masks_of),
        }

        @inspected
        def files(wildcards: Wildcards) -> dict[str, list[str]]:
            cell = {key: wildcards[key] for key in wildcards.keys()}
            needs = needed(cell | {"variant": variant})
            own = [given[need] for need in KNOWLEDGE if need in needs]
            return {name: function(wildcards) for name, function in own}

        return files

    def guard_of(self, cell: Wildcards) -> str:
        """The file of the word that the implicit guard steers away from."""
        return f"{self.out}/patches/{variants.patch(self.steers_from(cell))}"

    @inspected
    def variant_files(self, wildcards: Wildcards) -> dict[str, list[str] | str]:
        """What a variant is drawn with: nothing, the released layers and a patch, or what it needs;
        and what its guard steers away from, where that was learnt."""
        cell = cell_of(wildcards)
        if self.as_it_is(cell["variant"]):
            return {}
        files: dict[str, list[str] | str] = {"released": self.parts_of("released")(wildcards)}
        if VARIANTS[cell["variant"]].patch:
            files["patch"] = f"{self.out}/patches/{variants.patch(cell)}"
        else:
            files |= self.known_to(cell["variant"])(cell)
        return files | ({"guard": self.guard_of(cell)} if learnt(cell["defence"]) else {})

    # What is made in the end

    @cached_property
    def scores(self) -> list[str]:
        return [file for cell in self.cells for file in self.scores_of(cell)]

    @cached_property
    def shards(self) -> list[str]:
        """The thumbnails."""
        every = (file for cell in self.cells for file in self.shards_of(cell, "thumbnails"))
        return self.of_those(every)

    @inspected
    def album(self, wildcards: Wildcards) -> list[str]:
        """The thumbnails of a concept's variants, and of the models that they are held to."""
        shown = self.shown(self.cells, wildcards["concept"])
        return self.of_those(f for cell in shown for f in self.shards_of(cell, "thumbnails"))

    @cached_property
    def references(self) -> list[str]:
        """Of the sets that are drawn whole: of a concept alone there is nothing preserved."""
        named = dict.fromkeys(s.split(".")[0] for sets in self.sets.values() for s in sets)
        return self.of_those(
            f"{self.out}/references/prompts={name}/judge={judge}.safetensors"
            for name in named
            if name in self.bundles
            for judge in prompts.source_of(self.catalogue, name).judges
            if self.catalogue.judges[judge].kind in FEATURES
        )

    @property
    def wanted(self) -> list[str]:
        """What of a study is kept and shown, so that a run misses it. Pictures are not: whoever
        wants the room may delete them."""
        signs = (f"{self.out}/signs/{cell}/accuracy.parquet" for cell in self.signs)
        told = (f"{self.out}/detectability/{c}/detectability.parquet" for c in self.defended)
        guessed = (f"{self.out}/identified/{c}/identified.parquet" for c in self.identified)
        measured = self.of_those([*signs, *told, *guessed, *self.costs, *self.seen])
        return [*self.of_those(self.scores), *self.shards, *self.references, *measured]

    def shown(self, cells: Iterable[Cell], concept: str) -> list[Cell]:
        """Of the cells, a concept's variants, and the models that it is held to."""
        return [cell for cell in cells if prompts.concerns(cell, concept, self.sets[concept])]

    def shards_shown(self, unsafe: bool, folder: str) -> Files:
        """Input function: the shards of what is shown of a concept. unsafe: of the bundles whose
        pictures are deleted, or of the others."""
        own = [cell for cell in self.cells if (cell["prompts"] in self.deleted) == unsafe]

        @inspected
        def files(wildcards: Wildcards) -> list[str]:
            shown = self.shown(own, wildcards["concept"])
            return [file for cell in shown for file in self.shards_of(cell, folder)]

        return files


@lru_cache
def _rows(sweep: Sweep, bundle: str) -> list[prompts.Row]:
    return prompts.bundle_rows(sweep.study, sweep.catalogue, bundle, sweep.root)


def learnt(defence: str) -> bool:
    """Whether it is a guard that steers away from a learnt word."""
    return defence in GUARDS and "guard" in GUARDS[defence].needs


def cell_of(wildcards: Wildcards) -> Cell:
    """Every key of the variant that a job is about, and its bundle."""
    own = {key: wildcards[key] for key in RELEASED} | variants.parsed(wildcards["variant"])
    return variants.PRETRAINED | own | {"prompts": wildcards["prompts"]}
