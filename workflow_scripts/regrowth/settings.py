"""The ground of what users write in YAML: strict models, and their mistakes as one line each."""

import difflib
import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetPydanticSchema,
    ValidationError,
    ValidationInfo,
)
from regrowth.files import hub, keys
from regrowth.files.tables import text_of


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_default=True)


Model = TypeVar("Model", bound=Strict)


def one_of(*names: str) -> GetPydanticSchema:
    """What makes a `str` one of these names: their `Literal`, which no type checker can read."""
    return GetPydanticSchema(lambda _, handler: handler(Literal[names]))


def _not_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"a number is wanted, not {value}")
    return value


Number = BeforeValidator(_not_bool)
Count = Annotated[int, Number, Field(ge=1, strict=True)]
#: What a column of whole numbers can hold.
SEED_MAX = 2**63 - 1
Seed = Annotated[int, Number, Field(ge=0, le=SEED_MAX, strict=True)]
Share = Annotated[float, Number, Field(gt=0, le=1)]
#: A path (or a hub id): `~` and environment variables are filled in, once and here.
Place = Annotated[str, AfterValidator(hub.expanded)]
Positive = Annotated[float, Number, Field(gt=0, allow_inf_nan=False)]


def _known_concept(name: str, info: ValidationInfo) -> str:
    known = (info.context or {}).get("concepts")
    if known is not None and keys.slug(name) not in known:
        near = difflib.get_close_matches(keys.slug(name), known, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"no concept {name!r}; {hint}known: {', '.join(known)}")
    return name


#: One of the catalogue's, which is given as the validation's context.
Concept = Annotated[str, AfterValidator(_known_concept)]


def read(
    named: Any, what: str, model: type[Model], root: Path, mistakes: list[str]
) -> Model | None:
    """The YAML file `named` in the study as `what`; None, and lines in `mistakes`, if it is bad."""
    if not isinstance(named, str):
        return None  # the study's own check says what is wrong
    try:
        return model.model_validate(yaml.safe_load(text_of(root / hub.expanded(named))))
    except UnicodeError as error:
        mistakes.append(f"config: {what}: {error}")
    except OSError:
        mistakes.append(f"config: {what}: {hub.nowhere(hub.expanded(named), root)}")
    except yaml.YAMLError as error:
        mistakes.append(f"{named}: not YAML: {' '.join(str(error).split())}")
    except ValidationError as error:
        mistakes += lines(error, model, named)
    return None
    return None


def lines(error: ValidationError, model: type[BaseModel], where: str) -> list[str]:
    """Pydantic's errors as one line each, unknown keys with the nearest known one."""
    lines = []
    for e in error.errors():
        steps, known = _shown(model, e["loc"])
        place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in steps).lstrip(".")
        if e["type"] in ("extra_forbidden", "union_tag_not_found"):
            near = difflib.get_close_matches(str(e["loc"][-1]), known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            if e["type"] == "union_tag_not_found":
                hint += " Under a name of its own it needs a `kind`"
            lines.append(f"{where}: unknown key {place!r}; {hint}")
        elif e["type"] == "missing":
            lines.append(f"{where}: {place} is missing")
        elif e["type"] == "union_tag_invalid":
            tag, kinds = e["ctx"]["tag"], e["ctx"]["expected_tags"].replace("'", "")
            lines.append(f"{where}: {place}.kind: no kind {tag!r}; known: {kinds}")
        else:
            message = re.sub(r"^(Value error, |Input )", "", e["msg"])
            given = "" if isinstance(e["input"], dict | list) else f" (given: {e['input']!r})"
            lines.append(f"{where}: {place or 'the file'}: {message}{given}")
    return lines


@lru_cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """A model's JSON schema, made once: that takes longer than all that is asked of it."""
    return model.model_json_schema()


def _shown(model: type[BaseModel], place: tuple[Any, ...]) -> tuple[list[Any], list[str]]:
    """The steps of a place that a user has written (pydantic adds the kind of an instance), and the
    keys that are known beside the last, by walking the JSON schema."""
    schema = _schema(model)
    node, steps, known = schema, [], []
    for step in place:
        kinds = node.get("discriminator", {}).get("mapping", {})
        if step in kinds:
            node = schema["$defs"][kinds[step].rsplit("/", 1)[1]]
            continue
        steps.append(step)
        known = list(node.get("properties", {}))
        if isinstance(step, int):
            node = node.get("items", {})
        else:
            named = [
                *node.get("patternProperties", {}).values(),
                node.get("additionalProperties", {}),
            ]
            node = node.get("properties", {}).get(step, named[0])
        node = node if isinstance(node, dict) else {}
        options = [node, *node.get("anyOf", []), *node.get("allOf", [])]
        refs = [o["$ref"] for o in options if "$ref" in o]
        if refs:
            node = schema["$defs"][refs[0].rsplit("/", 1)[1]]
    return steps, known
