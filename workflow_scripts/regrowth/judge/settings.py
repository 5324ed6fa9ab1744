"""What a catalogue says of a judge."""

from typing import Annotated

from pydantic import Field
from regrowth.judge import JUDGES
from regrowth.settings import Place, Share, Strict, one_of


class Judge(Strict):
    """Who looks at pictures: an entry of a catalogue."""

    kind: Annotated[str, one_of(*JUDGES)]
    model: Place | None = Field(None, description="a local directory or a hub id")
    revision: str | None = None
    classes: Place | None = Field(
        None, description="classifier: a table (CSV: concept, index, names) of its outputs"
    )
    label: str | None = Field(
        None, description="detector: the label whose score is kept; text: what a picture may show"
    )
    others: list[str] = Field([], description="text: what it may show instead")
    threshold: Share = Field(0.5, description="detector, text: applied in the tables only")
    thresholds: Annotated[list[Share], Field(min_length=1)] = Field(
        [0.5],
        description="nudenet: applied in the tables only; the first is that of the headline",
    )
    labels: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(
        {},
        description="nudenet: label sets by name, applied in the tables only; the first is that of "
        "the headline; default: any",
    )
