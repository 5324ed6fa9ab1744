"""The model card: which model, which of its layers, and how it is sampled."""

from typing import Literal

from pydantic import Field
from regrowth.settings import Count, Place, Positive, Strict

LayerFamily = Literal["ffn2", "ffn1", "attn2.to_k", "attn2.to_v", "text_encoder.fc2"]


class ModelCard(Strict):
    """Which model, which of its layers, and how it is sampled."""

    name: str
    path: Place = Field(description="a local directory, or a hub id")
    revision: str | None = None
    layers: LayerFamily = "ffn2"
    steps: Count = 50
    guidance: Positive = 7.5
    dtype: Literal["float32", "float16"] = "float32"
