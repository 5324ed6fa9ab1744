"""Instances of methods: an eraser or an attack at settings of its own, under a name of its own."""

from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, create_model
from regrowth.attack import ASKED, VARIANTS
from regrowth.erase import ERASERS
from regrowth.files import keys
from regrowth.settings import Strict

InstanceName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]


def _instance(kind: str, settings: Any) -> type[Strict]:
    """The model of a method's instance under another name: its settings, and its kind."""
    named = f"Named{kind.title().replace('-', '')}"
    if isinstance(settings, type) and issubclass(settings, Strict):
        return create_model(named, __base__=settings, kind=(Literal[kind], ...))
    return create_model(named, __base__=Strict, kind=(Literal[kind], ...), models=(settings, {}))


def _one_of(instances: list[type[Strict]]) -> Any:
    return Annotated[Union[*instances], Field(discriminator="kind")]


_ERASERS = {kind: eraser.settings.held for kind, eraser in ERASERS.items()}
_ATTACKS = {kind: VARIANTS[kind].settings for kind in ASKED if VARIANTS[kind].settings}
AnEraser = _one_of([_instance(*of) for of in _ERASERS.items()])
AnAttack = _one_of([_instance(kind, place.held) for kind, place in _ATTACKS.items()])


class _Erasers(BaseModel):
    """Each eraser by its kind, and further ones under names of their own."""

    model_config = ConfigDict(extra="allow", validate_default=True)
    __pydantic_extra__: dict[InstanceName, AnEraser] = Field(init=False)

    def kind(self, name: str) -> str:
        """The eraser that is called so in the sweep. Raises KeyError."""
        return name if name in ERASERS else (self.model_extra or {})[name].kind

    def names(self, kind: str | None = None) -> list[str]:
        """What erasers, of a kind, are called."""
        every = [*ERASERS, *(self.model_extra or {})]
        return [name for name in every if kind in (None, self.kind(name))]

    def of(self, name: str, kind: str) -> dict[str, Any]:
        """The settings that a concept of that kind is erased with."""
        return getattr(self, name).of(kind)

    def checkpoints(self, name: str) -> dict[str, str]:
        """Of an eraser that is given checkpoints: by concept, as it is spelled in paths."""
        given = getattr(self, name)
        return {keys.slug(c): path for c, path in getattr(given, "models", given).items()}


Erasers = create_model(
    "Erasers",
    __base__=_Erasers,
    **{kind: (settings, Field(default_factory=dict)) for kind, settings in _ERASERS.items()},
)
