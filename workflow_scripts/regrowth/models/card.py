"""The model card: which model, which of its layers, and how it is sampled."""

from typing import Annotated, Literal

from pydantic import Field
from regrowth.models import LAYERS, SCHEDULERS
from regrowth.settings import Count, Place, Positive, Strict, one_of

LayerFamily = Annotated[str, one_of(*LAYERS)]
Scheduler = Annotated[str, one_of(*SCHEDULERS)]


class ModelCard(Strict):
    """Which model, which of its layers, and how it is sampled."""

    name: str
    path: Place = Field(description="a local directory, or a hub id")
    revision: str | None = None
    layers: LayerFamily = "ffn2"
    scheduler: Scheduler | None = Field(None, description="in place of the model's own")
    steps: Count = 50
    guidance: Positive = 7.5
    dtype: Literal["float32", "float16"] = "float32"
