"""What a study says of a trained eraser; what it does not say is its recipe's."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from regrowth.settings import Count, Number, Positive, Seed, Share, Strict

Weight = Annotated[float, Number, Field(ge=0, allow_inf_nan=False)]


class Trained(Strict):
    steps: Count | None = None
    rate: Positive | None = Field(None, description="Adam's, constant")
    batch: Count = 8
    pictures: Count = Field(64, description="of the concept, and as many of others; drawn anew")
    forget: Weight | None = Field(None, description="the weight of the loss on the concept")
    retain: Weight | None = Field(None, description="the weight of the loss on pictures of others")
    seed: Seed = 0
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        "float32", description="what predictions are computed in; weights stay in single precision"
    )
    gradient_checkpointing: bool = Field(
        False, description="compute parts of a prediction twice rather than keep them in memory"
    )

    def of(self, kind: str) -> dict[str, Any]:
        """The settings that a concept of this kind is erased with."""
        return self.model_dump()


class Esd(Trained):
    push: Positive = Field(1.0, description="how far away from the concept's prediction")


class SalUnTuned(Trained):
    share: Share = Field(0.5, description="of the trained weights, those that may change")


class EraseDiff(Trained):
    combine: Literal["coded", "printed"] = Field(
        "coded", description="both gradients at fixed weights, or the printed weight of one"
    )
    slack: Weight = Field(0.1, description="the printed weight's η")

    def of(self, kind: str) -> dict[str, Any]:
        by = {"coded": "sum", "printed": "value"}[self.combine]
        return self.model_dump() | {"combine": by}


class SelectiveAmnesia(Trained):
    anchor: Weight = Field(2e6, description="λ, of the Fisher term")
    times: Count = Field(4, description="at how many random steps each picture's Fisher is taken")


class Away(Trained):
    bound: Positive | None = Field(
        0.3, description="the loss of a picture that nothing is pushed beyond; null: none"
    )


class Vdu(Away):
    anchor: Weight = Field(4e-10, description="γ, of the term that holds weights to their spread")
    spread: Literal["trainings", "fisher"] = Field(
        "trainings", description="of continued trainings, or the inverse of Fisher's information"
    )
    trainings: Annotated[int, Number, Field(ge=2, strict=True)] = 4
    length: Count = Field(10, description="of a continued training, in steps")
    times: Count = Field(4, description="at how many random steps each picture's Fisher is taken")


class Sculpting(Trained):
    steps: Count = 80
    share: Share = Field(0.5, description="of each trained weight, the positions that may change")
    warmup: Count = Field(10, description="steps that feel, and change nothing")
    refresh: Count = Field(20, description="steps from one mask to the next")
    turnover: Share = Field(0.2, description="of a mask, what the next one takes from elsewhere")

    @model_validator(mode="after")
    def _trains(self) -> "Sculpting":
        if self.warmup >= self.steps:
            raise ValueError(f"warmup: nothing is trained: less than {self.steps} steps of it")
        return self


class ResAlign(Away):
    batch: Count = 4
    hypergradient: bool = Field(False, description="or the gradient after the tuning as it is")
    ahead: Annotated[float, Number, Field(ge=0, le=1)] = Field(
        0.8, description="λ: how much the loss after a simulated tuning counts"
    )
    tuning: Count = Field(3, description="steps of the simulated tuning")
    tuning_rate: Positive = 0.1
    rounds: Count = Field(5, description="of the hypergradient's fixed point")

    @model_validator(mode="after")
    def _derives_twice(self) -> "ResAlign":
        if self.hypergradient and (self.dtype != "float32" or self.gradient_checkpointing):
            raise ValueError(
                "hypergradient: what is derived twice is computed in float32, without gradient_"
                "checkpointing"
            )
        return self


class ScissorhandsTuned(Away):
    share: Share = Field(5e-4, description="of the self-attentions' matrices, what is drawn anew")
    project: bool = Field(True, description="as printed, or the plain sum of its SD code")

    def of(self, kind: str) -> dict[str, Any]:
        return self.model_dump() | {"combine": "project" if self.project else "sum"}
