"""Run every benchmark and write docs/benchmarks.md."""

from pathlib import Path

import detection
import generation
import signs
import speed
from transformers.utils import logging

PAGE = """# Benchmarks

Made by `make bench`. A completion is judged by what it costs and by the signs it brings back, the
drawing of pictures by what it costs.

## Speed

Weights of SD-v1.5's shapes with the singular spectrum of MiniLM's FFN layers, masks as
ConceptPrune makes them. The paper's own iteration takes a full SVD (here in float32) each time; its
seconds are those of one such iteration times the iterations that `faithful`, which takes the same
steps, needs to its stop. *Floor*: the matrix products of the same steps at the measured rates.

{speed}

## Signs on real trained weights

The six FFN layers (384×1536) of all-MiniLM-L6-v2, masks by ConceptPrune's rule with three
scores: *wanda*, |W| times the norms of the layer's own inputs; *target against base*, sentences on
a church against sentences on other things; *magnitude*, |W| alone. Intervals are Wilson's, 95 %.

{signs}

## Detection

{detection}

## Generation

Pictures drawn in batches against a loop of one prompt at a time, in one run, the ways taking turns;
each round's times are held against its own loop. Differences are those from the loop's picture of
the same seed, in steps of 8 bits; a pixel is identical if its three values are. Another model:
`python benchmarks/generation.py MODEL --device cuda`.

{generation}
"""

if __name__ == "__main__":
    logging.disable_progress_bar()
    target = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
    sections = {"speed": speed, "signs": signs, "detection": detection, "generation": generation}
    target.write_text(
        PAGE.format(**{name: made.markdown() for name, made in sections.items()}), encoding="utf-8"
    )
    print(target.read_text(encoding="utf-8"))
