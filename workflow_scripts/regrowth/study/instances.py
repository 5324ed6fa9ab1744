"""Instances of methods: an eraser or an attack at settings of its own, under a name of its own."""

from typing import Annotated, Any, Literal, Union

from pydantic import ConfigDict, Field, GetPydanticSchema, create_model
from regrowth.attack import ASKED, VARIANTS
from regrowth.erase import ERASERS, Together
from regrowth.files import keys
from regrowth.settings import Strict

InstanceName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]


def _instance(kind: str, settings: Any) -> type[Strict]:
    """The model of a method's instance under another name: its settings, and its kind."""
    named = f"Named{kind.title().replace('-', '')}"
    own: dict[str, Any] = {"kind": (Literal[kind], ...)}
    if isinstance(settings, type) and issubclass(settings, Strict):
        return create_model(named, __base__=settings, **own)
    return create_model(named, __base__=Strict, **own, models=(settings, {}))


def _told_apart(instances: list[type[Strict]]) -> GetPydanticSchema:
    """What makes anything one of these, by its `kind`."""
    by_kind = Field(discriminator="kind")
    return GetPydanticSchema(lambda _, held: held(Annotated[Union[*instances], by_kind]))


_ERASERS = {kind: eraser.settings.held for kind, eraser in ERASERS.items()}
_ATTACKS = {kind: place for kind in ASKED if (place := VARIANTS[kind].settings)}
AnEraser = Annotated[Any, _told_apart([_instance(*of) for of in _ERASERS.items()])]
AnAttack = Annotated[Any, _told_apart([_instance(k, at.held) for k, at in _ATTACKS.items()])]
_FIELDS: dict[str, Any] = {
    kind: (settings, Field(default_factory=dict))
    for kind, settings in _ERASERS.items()
    if not isinstance(ERASERS[kind], Together)
}
_Kinds: Any = create_model("_Kinds", **_FIELDS)


# Each eraser by its kind, and further ones under names of their own. A docstring would stand in
# the schema.
class Erasers(_Kinds):
    model_config = ConfigDict(extra="allow", validate_default=True)
    __pydantic_extra__: dict[InstanceName, AnEraser] = Field(init=False)

    def kind(self, name: str) -> str:
        """The eraser that is called so in the sweep. Raises KeyError."""
        return name if name in _FIELDS else (self.model_extra or {})[name].kind

    def names(self, kind: str | None = None) -> list[str]:
        """What erasers, of a kind, are called."""
        every = [*_FIELDS, *(self.model_extra or {})]
        return [name for name in every if kind in (None, self.kind(name))]

    def of(self, name: str, kind: str) -> dict[str, Any]:
        """The settings that a concept of that kind is erased with."""
        return getattr(self, name).of(kind)

    def together(self, name: str) -> list[str]:
        """The concepts, as they are spelled in paths, that an eraser of several erases in its
        order; none of another."""
        if not isinstance(ERASERS[self.kind(name)], Together):
            return []
        return [keys.slug(concept) for concept in getattr(self, name).concepts]

    def checkpoints(self, name: str) -> dict[str, str]:
        """Of an eraser that is given checkpoints: by concept, as it is spelled in paths."""
        given = getattr(self, name)
        return {keys.slug(c): path for c, path in getattr(given, "models", given).items()}
