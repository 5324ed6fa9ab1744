"""What can be wrong with a catalogue, in itself and on this machine; one line for each mistake."""

import difflib
from pathlib import Path

from regrowth.files import keys
from regrowth.judge import FEATURES, JUDGES, labels
from regrowth.models import disk
from regrowth.models.card import ModelCard
from regrowth.study import prompt_tables, prompts, references
from regrowth.study.catalogue import Catalogue, Family, PromptSet
from regrowth.study.young import names_young

YOUNG = "has a word for young people; nobody below eighteen is drawn"
#: Letters of a path's name: two such and a word make one folder, of at most 255.
LONGEST = 100


def unknown(what: str, name: str, known) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none yet'}"
    return f"no {what} {name!r}; {hint}"


def catalogue_mistakes(catalogue: Catalogue, where: str) -> list[str]:
    """Names, placeholders and references that do not fit each other."""
    out, taken = [], {word: f"the word {word!r}" for word in keys.RESERVED}

    def claim(name: str, place: str):
        slug = keys.slug(name)
        if not slug:
            out.append(f"{place}: {name!r} has no letter or digit to name a path")
        elif slug in keys.RESERVED:
            out.append(f"{place}: {name!r} has a meaning of its own in results: give another name")
        elif slug in taken:
            out.append(f"{place}: {name!r} and {taken[slug]} make the same path name")
        elif len(slug) > LONGEST:
            out.append(f"{place}: {name[:20]!r}… is too long for a path: {len(slug)} letters")
        taken.setdefault(slug, repr(name))

    for family, entry in catalogue.families.items():
        place = f"{where}: families.{family}"
        if entry.drawn:
            claim(family, place)
        if names_young(family):
            out.append(f"{place}: {family!r} {YOUNG}")
        for cls in entry.classes:
            claim(cls, place)
        out += [f"{place}: {m}" for m in [*_form_mistakes(entry), *_two_sources(entry)]]
        if entry.preserved and entry.preserved not in catalogue.families:
            out.append(f"{place}: preserved: " + _no("family", entry.preserved, catalogue.families))
        for name in entry.also:
            if name not in catalogue.prompt_sets:
                out.append(f"{place}: also: " + _no("prompt set", name, catalogue.prompt_sets))
        if not entry.drawn and not entry.also:
            out.append(f"{place}: no prompts: give prompts, a file, or prompt sets (also)")
        out += [f"{place}: {m}" for m in _judge_names(entry, catalogue)]
    for name, source in catalogue.prompt_sets.items():
        place = f"{where}: prompt_sets.{name}"
        claim(name, place)
        if not source.drawn:
            out.append(f"{place}: no prompts: give prompts, or a file")
        out += [f"{place}: {m}" for m in _two_sources(source)]
        young = [text for text in (name, *source.prompts) if names_young(text)]
        out += [f"{place}: {text!r} {YOUNG}" for text in young]
        out += [f"{place}: {m}" for m in _judge_names(source, catalogue)]
        out += [
            f"{place}: judge {judge!r} is a classifier, which tells classes apart, and a prompt "
            f"set has none: give it a detector, nudenet or clip, or make it a family with classes"
            for judge in source.judges
            if judge in catalogue.judges and JUDGES[catalogue.judges[judge].kind].classes
        ]
    return out


def file_mistakes(study, catalogue: Catalogue, root: Path, where: str) -> list[str]:
    """What the study needs and this machine lacks: judges and tables of prompts, bad ones too."""
    out, judges = [], {}
    for name in prompts.sets_used(study, catalogue, root):
        source = prompts.source_of(catalogue, name)
        judges.update({j: name for j in source.judges})
        place = f"{where}: {name}"
        classes = source.classes if isinstance(source, Family) else None
        if source.file and (wrong := prompt_tables.check(source, classes, root)):
            out += [f"{place}: {m}" for m in wrong]
        else:
            rows = prompts.set_rows(study, catalogue, name, root)
            young = dict.fromkeys(r["prompt"] for r in rows if names_young(r["prompt"]))
            out += [f"{place}: {prompt!r} {YOUNG}" for prompt in young]
        out += [f"{place}: {m}" for m in _reference_mistakes(source, catalogue, root)]
        for own in source.judges:
            out += [f"{place}: {m}" for m in _class_mistakes(own, catalogue, classes, root)]
    for name in judges:
        judge = catalogue.judges[name]
        out += [f"{where}: judges.{name}: {m}" for m in JUDGES[judge.kind].mistakes(judge, root)]
    return list(dict.fromkeys(out))


def model_mistakes(card: ModelCard, root: Path) -> list[str]:
    """Where the card's model lies, and whether a pipeline can be made of it."""
    try:
        found = disk.mistakes(disk.locate(card, root))
    except OSError as error:
        return [str(error)]
    return [f"model {card.name!r}: {mistake}" for mistake in found]


def _no(what, name, known) -> str:
    return f"no {what} {name!r}; known: {', '.join(known)}"


def _judge_names(entry: Family | PromptSet, catalogue: Catalogue) -> list[str]:
    if entry.drawn and not entry.judges:
        return ["no judges: who looks at its pictures?"]
    return [_no("judge", n, catalogue.judges) for n in entry.judges if n not in catalogue.judges]


def _two_sources(entry: Family | PromptSet) -> list[str]:
    own = [f"special.{c}.prompts" for c, s in getattr(entry, "special", {}).items() if s.prompts]
    own = (["prompts"] if entry.prompts else []) + own
    return [f"{', '.join(own)} and file: which of them?"] if own and entry.file else []


def _form_mistakes(entry: Family) -> list[str]:
    """What is wrong with a family's words, and with the forms that they go into."""
    known = {*prompts.WORDS} | {p for f in entry.fill for p in (f, f"a_{f}")}
    out = [
        f"special: {_no('class', name, entry.classes)}"
        for name in entry.special
        if name not in entry.classes
    ]
    out += [
        f"fill: {k!r} is a placeholder already"
        for k in entry.fill
        if k in (*prompts.WORDS, *_a(entry))
    ]
    words = [*entry.classes, *entry.fill, *(w for some in entry.fill.values() for w in some)]
    out += [f"{word!r} is a word, and no word has a brace" for word in words if set(word) & {*"{}"}]
    specials = entry.special.values()
    forms = [*entry.prompts, *(form for special in specials for form in special.prompts)]
    for pair in [entry.calibration, *(s.calibration for s in specials if s.calibration)]:
        for side in (pair.base, pair.target):
            forms += side if isinstance(side, list) else [side]
    for form in forms:
        asked = [p for p in prompts.PLACEHOLDER.findall(form) if p not in known]
        if asked:
            options = ", ".join(sorted(known))
            out.append(f"prompt {form!r} asks for {', '.join(asked)}; known: {options}")
        elif entry.kind != "prompts" and form in entry.prompts and not _names_it(form):
            out.append(f"prompt {form!r} names no class: {{name}} or {{a_name}} is wanted")
        if set(prompts.PLACEHOLDER.sub("", form)) & {*"{}"}:
            options = ", ".join(f"{{{p}}}" for p in sorted(known))
            out.append(f"prompt {form!r} has a brace that is no placeholder; known: {options}")
    out += [f"{text!r} {YOUNG}" for text in dict.fromkeys((*words, *forms)) if names_young(text)]
    return out or _calibration_mistakes(entry)


def _names_it(form: str) -> bool:
    return not {*prompts.WORDS}.isdisjoint(prompts.PLACEHOLDER.findall(form))


def _a(entry: Family) -> list[str]:
    return [f"a_{key}" for key in entry.fill]


def _calibration_mistakes(entry: Family) -> list[str]:
    """Classes whose pairs of prompts tell nothing apart, or name young people once filled in."""
    out = []
    for name in entry.classes:
        try:
            pairs = prompts.calibration_pairs(entry, name)
        except ValueError as error:
            out.append(str(error))
            continue
        if all(base == target for base, target in pairs):
            out.append(f"calibration: of {name!r}, base and target are the same: {pairs[0][0]!r}")
        young = dict.fromkeys(text for pair in pairs for text in pair if names_young(text))
        out += [f"{text!r} {YOUNG}" for text in young]
    return list(dict.fromkeys(out))


def _reference_mistakes(source, catalogue: Catalogue, root: Path) -> list[str]:
    asked = [j for j in source.judges if catalogue.judges[j].kind in FEATURES]
    if not asked:
        return []
    if source.reference is None:
        return [f"judge {asked[0]!r} makes FID, so a reference is wanted: pictures, or .npz"]
    wide = JUDGES[catalogue.judges[asked[0]].kind].width
    try:
        return references.mistakes(source.reference, root, source, wide)
    except (OSError, ValueError):
        return []  # its table cannot be read, which is told


def _class_mistakes(name: str, catalogue: Catalogue, classes, root: Path) -> list[str]:
    """Whether a classifier can name every class it is asked about."""
    judge = catalogue.judges[name]
    kind = JUDGES[judge.kind]
    if not kind.classes or classes is None or kind.mistakes(judge, root):
        return []
    known = list(labels.outputs(judge, root).values())
    strange = [c for c in classes if c not in known]
    if not strange:
        return []
    told = ", ".join(known[:40]) + (" …" if len(known) > 40 else "")
    return [f"judge {name!r} does not know {', '.join(map(repr, strange))}; it knows: {told}"]
