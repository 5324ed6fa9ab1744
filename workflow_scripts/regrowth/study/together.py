"""Which concepts each eraser erases, and what is wrong with erasers of several."""

from regrowth.erase import ERASERS, Together
from regrowth.files import keys
from regrowth.study import checks
from regrowth.study.config import Study


def asked(study: Study, kind: str) -> dict[str, list[str]]:
    """The concepts that the sweep erases with each eraser of a kind, by the eraser's name: alone,
    or as part of another."""
    pairs = [(name, c) for block in study.sweep for name in block.erasers for c in block.concepts]
    used, several = {name for name, _ in pairs}, named(study)
    for own in (getattr(study.erasers, name) for name in several if name in used):
        pairs += [(own.of, concept) for concept in own.concepts]
    return {
        name: list(dict.fromkeys(concept for own, concept in pairs if own == name))
        for name in study.erasers.names(kind)
    }


def named(study: Study) -> dict[str, Together]:
    """The erasers of several concepts, by name."""
    kinds = {name: ERASERS[study.erasers.kind(name)] for name in study.erasers.names()}
    return {name: eraser for name, eraser in kinds.items() if isinstance(eraser, Together)}


def mistakes(study: Study) -> list[str]:
    """Erasers that are of none that there is, or of one that comes otherwise to what is released;
    concepts that are to be erased by one and are not among its own."""
    out, erasers = [], study.erasers
    how = {name: ERASERS[erasers.kind(name)].how for name in erasers.names()}
    for name, eraser in named(study).items():
        own = getattr(erasers, name)
        fitting = [other for other in how if how[other] == eraser.of]
        if own.of not in how:
            out.append(f"config: erasers.{name}.of: {checks.unknown('eraser', own.of, fitting)}")
        elif own.of not in fitting:
            out.append(
                f"config: erasers.{name}.of: a {eraser.how} is of {eraser.of}s, and {own.of} makes "
                f"none; known: {', '.join(fitting)}"
            )
        out += [
            f"config: erasers.{name}.concepts: {concept!r} is to be erased by it, and is none of "
            f"them: {', '.join(own.concepts)}"
            for concept in asked(study, erasers.kind(name))[name]
            if keys.slug(concept) not in erasers.together(name)
        ]
    return out
