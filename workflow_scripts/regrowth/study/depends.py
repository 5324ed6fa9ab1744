"""What a job's result depends on beside its inputs: what stands in its rule's params.

Any change of these makes a result anew, so a value is a setting or a digest, never a place.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from regrowth.attack import ORACLES, ROUNDINGS, VARIANTS
from regrowth.attack.settings import parted
from regrowth.draw import GUARDS
from regrowth.erase import ERASERS, checkpoints
from regrowth.files import hub, keys
from regrowth.files.digests import DIGESTS, digest, file_digest, folder_digest
from regrowth.files.provenance import remembered_code_digest
from regrowth.judge import JUDGES
from regrowth.judge.settings import Judge
from regrowth.learn.recipes import RECIPES
from regrowth.models import disk
from regrowth.models.card import ModelCard
from regrowth.study import prompts, references
from regrowth.study.catalogue import concepts_of
from regrowth.study.sweep import Sweep, Wildcards, cell_of, inspected, learnt

#: Of these tables of methods, tables and figures use no more than the names.
NAMES_ALONE = tuple(
    (table, "")
    for table in (
        "attack.VARIANTS",
        "attack.MAGNITUDES",
        "defend.FILLS",
        "draw.GUARDS",
        "erase.ERASERS",
        "judge.JUDGES",
    )
)
#: Where what masks read lies, and the settings that stand in its path.
_READ = {
    "norms": ("calibration", ("steps",)),
    "gradients": ("gradients", ("loss", "pictures")),
}


@dataclass(frozen=True, eq=False)
class Depends:
    """cards, folders: of the models that are drawn as they are, by name; "pretrained" is the one
    under attack."""

    sweep: Sweep
    cards: dict[str, ModelCard]
    folders: dict[str, Path]
    _seen: dict[Any, str] = field(default_factory=dict)

    def _once(self, key: Any, value: Callable[[], str]) -> str:
        if key not in self._seen:
            self._seen[key] = value()
        return self._seen[key]

    # Code and models

    def code(self, script: str, *methods: tuple[str, str]) -> str:
        """Digest of a rule's script and of the library's definitions that it reaches. methods: as
        in `provenance.code_digest`."""
        file = self.sweep.root / "workflow_scripts" / f"{script}.py"
        return self._once((script, methods), lambda: remembered_code_digest(file, methods, DIGESTS))

    def method_code(
        self, script: str, table: str, key: str, *more: tuple[str, str]
    ) -> Callable[[Wildcards], str]:
        """The same with one method of a table alone: the one that the job's path names at `key`."""
        own = lambda wildcards: (table, parted(wildcards[key])[0])  # noqa: E731
        return inspected(lambda wildcards: self.code(script, own(wildcards), *more))

    @inspected
    def oracle_code(self, wildcards: Wildcards) -> str:
        name = wildcards["magnitude"]
        taken = ("attack.MAGNITUDES", ORACLES[name].magnitude)
        return self.code("oracle", ("attack.ORACLES", name), taken)

    @cached_property
    def models(self) -> dict[str, str]:
        return {
            name: folder_digest(folder, disk.loaded(folder), DIGESTS)
            for name, folder in self.folders.items()
        }

    @cached_property
    def page(self) -> str:
        """Digest of what pages are made of."""
        folder = self.sweep.root / "workflow_scripts/regrowth/show/page"
        return digest([f.read_text(encoding="utf-8") for f in sorted(folder.rglob("*.*"))])

    @property
    def model(self) -> str:
        return self.models["pretrained"]

    @inspected
    def layers_of(self, wildcards: Wildcards) -> list[str]:
        return [layer.name for layer in self.sweep.parts[wildcards["part"]]]

    # Erasing

    @inspected
    def pairs_of(self, wildcards: Wildcards) -> list[tuple[str, str]]:
        family, name = concepts_of(self.sweep.catalogue)[wildcards["concept"]]
        return prompts.calibration_pairs(self.sweep.catalogue.families[family], name)

    @inspected
    def settings_of(self, wildcards: Wildcards) -> dict[str, Any]:
        """The eraser's kind, and its settings for the concept's kind."""
        erasers, name = self.sweep.study.erasers, wildcards["eraser"]
        family, _ = concepts_of(self.sweep.catalogue)[wildcards["concept"]]
        of = self.sweep.catalogue.families[family].kind
        return {"kind": erasers.kind(name)} | erasers.of(name, of)

    def erasers(self) -> dict[str, dict[str, str]]:
        """What the tables say of each eraser that is compared."""
        own = self.sweep.study.erasers
        names = dict.fromkeys(name for _, name in self.sweep.compared)
        kinds = {name: own.kind(name) for name in names}
        sources = {kind: recipe.source for kind, recipe in RECIPES.items()}
        return {
            name: {
                "kind": kind,
                "how": ERASERS[kind].how,
                "source": sources.get(kind, ERASERS[kind].source),
            }
            for name, kind in kinds.items()
        }

    @inspected
    def eraser_code(self, wildcards: Wildcards) -> str:
        kind = self.sweep.study.erasers.kind(wildcards["eraser"])
        return self.code("mask", ("erase.ERASERS", kind))

    @inspected
    def editor_code(self, wildcards: Wildcards) -> str:
        kind = self.sweep.study.erasers.kind(wildcards["eraser"])
        return self.code("edit", ("erase.ERASERS", kind), ("learn.recipes.RECIPES", kind))

    @inspected
    def about(self, wildcards: Wildcards) -> dict[str, Any]:
        """A concept's name, those that are to survive it, the prompts that are drawn to learn from,
        and how."""
        families = self.sweep.catalogue.families
        family, name = concepts_of(self.sweep.catalogue)[wildcards["concept"]]
        others = families[families[family].preserved or family].classes
        return {
            "name": name,
            "others": [other for other in others if other != name],
            "pairs": self.pairs_of(wildcards),
            **self.sweep.study.sampler.of(self.cards["pretrained"]),
        }

    def _material(self, concept: str, pictures: int | str, *shown: str) -> list[str]:
        """Of an unsafe concept nothing is drawn beforehand, since nothing of it is written."""
        family, _ = concepts_of(self.sweep.catalogue)[concept]
        if self.sweep.catalogue.families[family].unsafe:
            return []
        cells = ({"concept": concept, "of": of, "pictures": str(pictures)} for of in shown)
        return [f"{self.sweep.out}/material/{keys.path(c)}/latents.safetensors" for c in cells]

    @inspected
    def learnt_by(self, wildcards: Wildcards) -> list[str]:
        """Input function: what a trained eraser learns from."""
        settings = self.settings_of(wildcards)
        if (kind := settings["kind"]) not in RECIPES:
            return []
        shown = RECIPES[kind].shown
        return self._material(wildcards["concept"], settings["pictures"], *shown)

    @inspected
    def felt_on(self, wildcards: Wildcards) -> list[str]:
        """Input function: the pictures that gradients are of."""
        return self._material(wildcards["concept"], wildcards["pictures"], "target")

    # Attacking

    @inspected
    def word(self, wildcards: Wildcards) -> str:
        """The concept's name, whose place a learnt word takes."""
        return concepts_of(self.sweep.catalogue)[wildcards["concept"]][1]

    @inspected
    def taught(self, wildcards: Wildcards) -> list[str]:
        """The prompts of the pictures that an attacker trains on: the calibration's, of the concept
        or of what it is held against."""
        side = wildcards["data"] == "concept"
        return list(dict.fromkeys(pair[side] for pair in self.pairs_of(wildcards)))

    @inspected
    def read_of(self, wildcards: Wildcards) -> list[str]:
        """Input function: what the eraser's masks read beside the weights."""
        what = ERASERS[self.sweep.study.erasers.kind(wildcards["eraser"])].reads
        if not what:
            return []
        folder, names = _READ[what]
        settings = self.settings_of(wildcards)
        cell = {"concept": wildcards["concept"]} | {name: settings[name] for name in names}
        return [f"{self.sweep.out}/{folder}/{keys.path(cell)}/{what}.safetensors"]

    @inspected
    def checkpoint(self, wildcards: Wildcards) -> str:
        erasers, name = self.sweep.study.erasers, wildcards["eraser"]
        path = self.sweep.root / erasers.checkpoints(name)[wildcards["concept"]]
        if path.is_file():
            return file_digest(path, DIGESTS)
        read = [self.sweep.layers[0].file.parent.name]
        parts = checkpoints.components(path) if ERASERS[erasers.kind(name)].whole else read
        files = [file for part in parts for file in checkpoints.paths(path, part)]
        return folder_digest(path, files, DIGESTS)

    # Drawing and judging

    @inspected
    def sampling(self, wildcards: Wildcards) -> dict[str, Any]:
        """The model that a variant is drawn from, and how."""
        variant, study = cell_of(wildcards)["variant"], self.sweep.study
        name = variant if self.sweep.as_it_is(variant) else "pretrained"
        card = self.cards[name]
        told = {
            "model": self.models[name],
            "dtype": card.dtype,
            **study.sampler.of(card),
        }
        told |= {"rounded": study.quantised} if variant in ROUNDINGS else {}
        guard = wildcards["defence"] in GUARDS
        told |= {"guard": wildcards["defence"]} if guard else {}
        told |= {"after": str(study.implicit.step)} if learnt(wildcards["defence"]) else {}
        sampled = variant in VARIANTS and VARIANTS[variant].sampled
        if sampled:
            told |= {"shows": prompts.shows(self.sweep.catalogue, wildcards["prompts"])}
        if (by := cell_of(wildcards)["by"]) != keys.NONE:
            judge = self.sweep.catalogue.judges[by]
            told |= {"classifier": self._once(by, partial(self._judge, judge))}
        worded = guard or sampled or variant in ("inversion", "evasion", "derived")
        return told | ({"word": self.word(wildcards)} if worded else {})

    @inspected
    def drawing_code(self, wildcards: Wildcards) -> str:
        variant = cell_of(wildcards)["variant"]
        own = {"attack.ROUNDINGS": variant, "draw.GUARDS": wildcards["defence"]}
        sampled = variant in VARIANTS and VARIANTS[variant].sampled
        own |= {"attack.VARIANTS": variant} if sampled else {}
        return self.code("generate", *(dict(NAMES_ALONE) | own).items())

    @inspected
    def rows(self, wildcards: Wildcards) -> str:
        """Digest of the rows of a shard."""
        bundle, size = wildcards["prompts"], self.sweep.study.images.shard
        at = int(wildcards["shard"]) * size
        return self._once((bundle, at), lambda: digest(self.sweep.rows(bundle)[at : at + size]))

    @inspected
    def judges(self, wildcards: Wildcards) -> dict[str, str]:
        """What the raw scores of a job's judges depend on: their settings and their weights."""
        return {
            name: self._once(name, partial(self._judge, judge))
            for name, judge in self._judges(wildcards).items()
        }

    def _judges(self, wildcards: Wildcards) -> dict[str, Judge]:
        """A job's judges: "judge" in its path, or several as "judges"."""
        (names,) = (wildcards[key] for key in ("judge", "judges") if key in wildcards.keys())
        return {name: self.sweep.catalogue.judges[name] for name in names.split("+")}

    def _judge(self, judge: Judge) -> str:
        root, held = self.sweep.root, []
        if judge.model and (root / judge.model).is_file():
            held.append(file_digest(root / judge.model, DIGESTS))
        elif judge.model:
            folder = hub.directory(judge.model, judge.revision, "config.json", root)
            held.append(folder_digest(folder, disk.loaded(folder), DIGESTS))
        if judge.classes:
            held.append(file_digest(root / judge.classes, DIGESTS))
        return digest(judge.kind, judge.label, held, *judge.others)

    def judge_code(self, script: str) -> Callable[[Wildcards], str]:
        """Digest of a script with the kinds of judges alone that the job's path names."""

        @inspected
        def code(wildcards: Wildcards) -> str:
            kinds = dict.fromkeys(judge.kind for judge in self._judges(wildcards).values())
            return self.code(script, *(("judge.JUDGES", kind) for kind in kinds))

        return code

    @inspected
    def judge_gpus(self, wildcards: Wildcards) -> int:
        """How many GPUs a job's judges ask for, if there are any."""
        return int(any(JUDGES[j.kind].gpu for j in self._judges(wildcards).values()))

    def judged(self) -> dict[str, Any]:
        """By judge, what the tables make of its scores."""
        known = self.sweep.catalogue.judges
        applied = {"threshold", "thresholds", "labels"}
        return {
            name: judge.model_dump(include=applied)
            | {"feeds": JUDGES[judge.kind].feeds, "by": JUDGES[judge.kind].by}
            for name, judge in known.items()
        }

    @inspected
    def sees(self, wildcards: Wildcards) -> dict[str, list[str]]:
        """Of the job's bundle, by judge, the sets that it looks at."""
        known = self.sweep.catalogue
        sets = {s: prompts.source_of(known, s).judges for s in wildcards["prompts"].split("+")}
        return {
            judge: [name for name, judges in sets.items() if judge in judges]
            for judge in self._judges(wildcards)
        }

    @inspected
    def reference(self, wildcards: Wildcards) -> str:
        source = prompts.source_of(self.sweep.catalogue, wildcards["prompts"])
        return references.digest_of(source, self.sweep.root)
