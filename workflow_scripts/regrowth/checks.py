"""What can be wrong with a catalogue, in itself and on this machine; one line for each mistake."""

import difflib
import json
import re
from importlib.util import find_spec
from pathlib import Path

from regrowth import hub, keys, models, prompt_tables, prompts, torchvision_weights
from regrowth.catalogue import FEATURES, Catalogue, Family, Judge, ModelCard, PromptSet


def unknown(what: str, name: str, known) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
    return f"no {what} {name!r}; {hint}"


def catalogue_mistakes(catalogue: Catalogue, where: str) -> list[str]:
    """Names, placeholders and references that do not fit each other."""
    out, taken = [], {"erased": "the word 'erased'", "preserved": "the word 'preserved'"}

    def claim(name: str, place: str):
        slug = keys.slug(name)
        if not slug:
            out.append(f"{place}: {name!r} has no letter or digit to name a path")
        elif slug in taken:
            out.append(f"{place}: {name!r} and {taken[slug]} make the same path name")
        taken.setdefault(slug, repr(name))

    for family, entry in catalogue.families.items():
        place = f"{where}: families.{family}"
        if entry.drawn:
            claim(family, place)
        for cls in entry.classes:
            claim(cls, place)
        out += [f"{place}: {m}" for m in _form_mistakes(entry)]
        if entry.preserved and entry.preserved not in catalogue.families:
            out.append(f"{place}: preserved: " + _no("family", entry.preserved, catalogue.families))
        for name in entry.also:
            if name not in catalogue.prompt_sets:
                out.append(f"{place}: also: " + _no("prompt set", name, catalogue.prompt_sets))
        if not entry.drawn and not entry.also:
            out.append(f"{place}: no prompts: give prompts, a file, or prompt sets (also)")
        out += [f"{place}: {m}" for m in _judge_names(entry, catalogue)]
    for name, entry in catalogue.prompt_sets.items():
        place = f"{where}: prompt_sets.{name}"
        claim(name, place)
        if not entry.drawn:
            out.append(f"{place}: no prompts: give prompts, or a file")
        young = [p for p in entry.prompts if prompt_tables.names_young(p)]
        out += [f"{place}: prompt {p!r} has a word for young people" for p in young]
        out += [f"{place}: {m}" for m in _judge_names(entry, catalogue)]
    return out


def file_mistakes(study, catalogue: Catalogue, root: Path, where: str) -> list[str]:
    """What the study needs and this machine lacks: judges and tables of prompts, bad ones too."""
    out, judges = [], {}
    for name in prompts.sets_used(study, catalogue):
        source = prompts.source_of(catalogue, name)
        judges |= {j: name for j in source.judges}
        place = f"{where}: {name}"
        classes = source.classes if isinstance(source, Family) else None
        try:
            if source.file:
                prompt_tables.check(prompt_tables.read(source, root), source, classes)
        except (OSError, ValueError) as error:
            out.append(f"{place}: {error}")
        out += [f"{place}: {m}" for m in _reference_mistakes(source, catalogue, root)]
        for judge in source.judges:
            out += [f"{place}: {m}" for m in _class_mistakes(judge, catalogue, classes, root)]
    for name in judges:
        judge = catalogue.judges[name]
        out += [f"{where}: judges.{name}: {m}" for m in judge_mistakes(judge, root)]
    return list(dict.fromkeys(out))


def model_mistakes(card: ModelCard, root: Path) -> list[str]:
    try:
        models.locate(card, root)
    except FileNotFoundError as error:
        return [str(error)]
    return []


def _no(what, name, known) -> str:
    return f"no {what} {name!r}; known: {', '.join(known)}"


def _judge_names(entry: Family | PromptSet, catalogue: Catalogue) -> list[str]:
    if entry.drawn and not entry.judges:
        return ["no judges: who looks at its pictures?"]
    return [_no("judge", n, catalogue.judges) for n in entry.judges if n not in catalogue.judges]


def _form_mistakes(entry: Family) -> list[str]:
    known = {"name", "a_name"} | {p for f in entry.fill for p in (f, f"a_{f}")}
    forms, out = list(entry.prompts), []
    out += [
        f"special: {_no('class', name, entry.classes)}"
        for name in entry.special
        if name not in entry.classes
    ]
    pairs = [entry.calibration, *(s.calibration for s in entry.special.values() if s.calibration)]
    for pair in pairs:
        for side in (pair.base, pair.target):
            forms += side if isinstance(side, list) else [side]
    for special in entry.special.values():
        forms += special.prompts
    forms += [word for words in entry.fill.values() for word in words]
    for form in forms:
        if prompt_tables.names_young(form):
            out.append(
                f"prompt {form!r} has a word for young people; nobody below eighteen is drawn"
            )
        asked = [p for p in re.findall(r"{(.*?)}", form) if p not in known]
        if asked:
            options = ", ".join(sorted(known))
            out.append(f"prompt {form!r} asks for {', '.join(asked)}; known: {options}")
    return out


def _reference_mistakes(source, catalogue: Catalogue, root: Path) -> list[str]:
    asked = [j for j in source.judges if catalogue.judges[j].kind in FEATURES]
    if not asked:
        return []
    if source.reference is None:
        return [f"judge {asked[0]!r} makes FID, so a reference is wanted: pictures, or .npz"]
    there = (root / source.reference).is_dir() or (root / source.reference).is_file()
    return [] if there or source.reference == "demo world" else [f"no {source.reference}"]


def judge_mistakes(judge: Judge, root: Path) -> list[str]:
    if judge.kind == "nudenet":
        return []
    if judge.model is None:
        return [f"a judge of kind {judge.kind} needs a model"]
    if judge.kind == "inception":
        return _inception_mistakes(judge, root)
    if judge.kind == "clip" and torchvision_weights.is_file(judge.model):
        return [f"a judge of kind clip needs a directory or a hub id, not {judge.model}"]
    try:
        labels = labels_of(judge, root)
    except (FileNotFoundError, ValueError) as error:
        return [str(error)]
    if judge.kind == "detector" and judge.label not in labels.values():
        return [f"label {judge.label!r} is not one of: {', '.join(labels.values())}"]
    if judge.kind == "classifier" and judge.classes:
        return _table_mistakes(judge, labels, root)
    return []


def _inception_mistakes(judge: Judge, root: Path) -> list[str]:
    lacking = [p for p in ("torch_fidelity", "torchvision") if find_spec(p) is None]
    if lacking:
        return [f"a judge of kind inception needs {' and '.join(lacking)}: pip install them"]
    if not (root / judge.model).is_file():
        return [f"no file {judge.model}: the Inception weights of torch-fidelity (.pth)"]
    return []


def _table_mistakes(judge: Judge, labels: dict[int, str], root: Path) -> list[str]:
    """Whether each output has one of the names that the table gives it; one without a name of its
    own (torchvision's weights carry none) has whatever the table says."""
    try:
        table = prompt_tables.classes(root / judge.classes)
    except (OSError, ValueError) as error:
        return [str(error)]
    out = []
    for concept, (index, names) in table.items():
        told = labels.get(index, "nothing")
        if torchvision_weights.is_file(judge.model) and index in labels:
            continue
        if not {told.lower(), *(n.strip() for n in told.lower().split(","))} & set(names):
            out.append(f"output {index} is {told!r}, {judge.classes} wants {concept!r} there")
    return out


def _class_mistakes(name: str, catalogue: Catalogue, classes, root: Path) -> list[str]:
    """Whether a classifier can name every class it is asked about."""
    judge = catalogue.judges[name]
    if judge.kind != "classifier" or classes is None or judge_mistakes(judge, root):
        return []
    known = list(outputs(judge, root).values())
    strange = [c for c in classes if c not in known]
    if not strange:
        return []
    told = ", ".join(known[:40]) + (" …" if len(known) > 40 else "")
    return [f"judge {name!r} does not know {', '.join(map(repr, strange))}; it knows: {told}"]


def labels_of(judge: Judge, root: Path) -> dict[int, str]:
    """What the model directory calls its outputs; those of torchvision's weights are numbers."""
    if torchvision_weights.is_file(judge.model):
        return {i: str(i) for i in range(torchvision_weights.outputs(root / judge.model))}
    folder = hub.directory(judge.model, judge.revision, "config.json", root)
    told = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("id2label", {})
    return {int(index): label for index, label in told.items()}


def outputs(judge: Judge, root: Path) -> dict[int, str]:
    """What a classifier's outputs are called here: the table's names go before the model's, and
    are taken at their word where the model is a file of torchvision's weights."""
    table = prompt_tables.classes(root / judge.classes) if judge.classes else {}
    return labels_of(judge, root) | {index: concept for concept, (index, _) in table.items()}
