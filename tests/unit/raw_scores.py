"""Raw scores by hand, for the tests of tables."""

import pandas as pd
from regrowth.files import keys
from regrowth.study import variants
from regrowth.study.catalogue import Catalogue

PRUNED = variants.PRETRAINED | {"concept": "church", "variant": "pruned"}
MAX = PRUNED | {"variant": "revived", "K": "0.6", "magnitude": "max", "solver": "nuclear"}
JUDGE = {"kind": "classifier", "model": "m"}
PAIR = {"base": "a", "target": "b"}
SOLVED = dict.fromkeys([*keys.RELEASED, "detector"], "x") | {"solver": "nuclear"}


def rows(cell, hits, role="erased", **more):
    return pd.DataFrame(
        [
            cell
            | {"prompt_set": "s", "class": "c", "prompt": "p", "seed": i, "hit": h, "role": role}
            | more
            for i, h in enumerate(hits)
        ]
    )


def nude(*found):
    """Rows of (picture, label, score)."""
    frame = rows(PRUNED, [True] * len(found))
    picture, label, score = zip(*found)
    return frame.assign(seed=picture, label=label, score=score)


def two_families(**judges):
    own = {"prompts": ["{name}"], "judges": list(judges or {"j": 0}), "calibration": PAIR}
    families = {
        "objects": own | {"kind": "object", "classes": ["golf ball", "cat"]},
        "styles": own | {"kind": "style", "classes": ["Monet", "Goya"]},
    }
    return Catalogue.model_validate({"families": families, "judges": judges or {"j": JUDGE}})
