"""Reading a study: its card and its catalogue, and all its mistakes at once."""

from pathlib import Path

from pydantic import ValidationError
from regrowth.files import keys
from regrowth.models.card import ModelCard
from regrowth.settings import lines, read
from regrowth.study import asked, checks, lessons
from regrowth.study.catalogue import Catalogue, concepts_of
from regrowth.study.config import Study


class ConfigError(ValueError):
    """Every mistake of a study, one line each."""


def load_study(raw: dict, root: Path, files: bool = True) -> tuple[Study, Catalogue, ModelCard]:
    """Check a study (a mapping, as Snakemake reads it), its card and its catalogue.

    Relative paths start at `root`. files: look at the checkpoints, the judges and the tables of
    prompts that it needs, too. Raises ConfigError with every mistake found, one line each.
    """
    mistakes: list[str] = []
    catalogue = read(raw.get("catalogue"), "catalogue", Catalogue, root, mistakes)
    card = read(raw.get("model"), "model", ModelCard, root, mistakes)
    context = {}
    if catalogue:
        mistakes += checks.catalogue_mistakes(catalogue, raw["catalogue"])
        context["concepts"] = list(concepts_of(catalogue))
    study = None
    try:
        study = Study.model_validate(raw, context=context)
    except ValidationError as error:
        mistakes += lines(error, Study, "config")
    if study and catalogue and card:
        cards = [card, *baseline_cards(study, root, mistakes).values()]
        put_local(study, catalogue, cards, mistakes)
        mistakes += asked.mistakes(study, catalogue, card, root)
        mistakes += keep_judges(study, catalogue)
        if files:
            mistakes += asked.nowhere(study, root)
        if files and not mistakes:
            mistakes += checks.file_mistakes(study, catalogue, root, study.catalogue)
            mistakes += [told for card in cards for told in checks.model_mistakes(card, root)]
            mistakes += lessons.mistakes(study, catalogue, root)
    if mistakes or not (study and catalogue and card):
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise ConfigError(
            f"{count} in the study:\n" + "\n".join(f"  - {' '.join(m.split())}" for m in mistakes)
        )
    return study, catalogue, card


def baseline_cards(study: Study, root: Path, mistakes: list[str]) -> dict[str, ModelCard]:
    """The card of every baseline by name, bad ones left out and told in `mistakes`."""
    found = {
        name: read(b.model, f"baselines.{name}.model", ModelCard, root, mistakes)
        for name, b in study.baselines.items()
    }
    return {name: card for name, card in found.items() if card}


def put_local(study: Study, catalogue: Catalogue, cards: list[ModelCard], mistakes: list[str]):
    """Put the study's `local` paths in the place of the card's and the catalogue's."""
    models = {card.name: card for card in cards}
    tables = {**catalogue.families, **catalogue.prompt_sets}
    for name, path in study.local.items():
        if name in models:
            models[name].path, models[name].revision = path, None
        elif name in catalogue.judges:
            catalogue.judges[name].model, catalogue.judges[name].revision = path, None
        elif name in tables:
            tables[name].file, tables[name].hub = path, None
        elif name.removesuffix(".reference") in tables:
            tables[name.removesuffix(".reference")].reference = path
        else:
            known = [*models, *catalogue.judges, *tables, *(f"{t}.reference" for t in tables)]
            mistakes.append("config: local: " + checks.unknown("model, judge or set", name, known))


def keep_judges(study: Study, catalogue: Catalogue) -> list[str]:
    """Leave every prompt set the judges that the study asks for; lines for those nobody knows."""
    if study.judges:
        for source in (*catalogue.families.values(), *catalogue.prompt_sets.values()):
            source.judges = [name for name in source.judges if name in study.judges]
    out = [
        "config: judges: " + checks.unknown("judge", name, list(catalogue.judges))
        for name in study.judges
        if name not in catalogue.judges
    ]
    named = [concept for block in study.sweep for concept in block.concepts]
    for family in dict.fromkeys(concepts_of(catalogue)[keys.slug(c)][0] for c in named):
        entry = catalogue.families[family]
        sources = [entry, *(catalogue.prompt_sets[name] for name in entry.also)]
        if not any(source.judges for source in sources):
            out.append(f"config: judges: none of them judges {family}")
    return out
