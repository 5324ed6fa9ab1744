"""What a job is called where people read it."""

from collections.abc import Iterable
from pathlib import Path

from regrowth.files import keys
from regrowth.study.variants import PRETRAINED, label

#: What a job of a rule does. A rule that is not here is called by its name.
DOING = {
    "resolve": "looking at the model",
    "calibrate": "calibrating",
    "gradients": "taking gradients",
    "material": "drawing what is learnt from",
    "mask": "choosing weights",
    "mask_of_checkpoint": "reading the mask",
    "union": "joining masks",
    "prune": "erasing",
    "edit": "erasing",
    "sequence": "erasing",
    "edit_of_checkpoint": "reading the model",
    "released_of_checkpoint": "reading the model",
    "checkpoint_of_released": "writing the model",
    "defend": "defending",
    "defend_by_completion": "defending",
    "detect": "looking for holes",
    "complete": "completing",
    "revive": "reviving",
    "revive_alone": "reviving",
    "blind": "reviving",
    "oracle": "reviving",
    "derive": "deriving a word",
    "identify": "guessing the concept",
    "lesson": "drawing to learn from",
    "look": "judging what is learnt from",
    "relearn": "relearning",
    "evade": "learning a word through a guard",
    "invert": "learning a word",
    "prefix": "looking for a prefix",
    "random_prefix": "drawing prefixes",
    "generate": "drawing",
    "generate_unsafe": "drawing",
    "score": "judging",
    "reference": "looking at references",
    "signs": "counting signs",
    "signs_of_blind": "counting signs",
    "detectability": "measuring how holes hide",
    "tables": "making tables",
    "album": "drawing figures",
    "figures": "drawing figures",
    "report": "writing the page",
    "audit_weights": "auditing weights",
    "audit_pictures": "auditing pictures",
    "audit": "writing the report card",
    "split": "splitting",
    "pictures": "unpacking pictures",
    "train_classifier": "training",
    "unlearn": "unlearning",
    "regrow": "reviving",
    "predict": "predicting",
    "membership": "inferring membership",
    "relearn_classifier": "relearning",
    "shadowed": "asking shadow models",
    "gradcam": "drawing where it looks",
    "classifier_tables": "making tables",
    "timings": "reading timings",
}


def about(output: Iterable[str]) -> str:
    """The concept and the variant, or the unlearner, of a job's files; or empty."""
    path = Path(next(iter(output), "")).parts
    cell = dict(part.split("=", 1) for part in path if "=" in part)
    named = [c for c in [cell.get("concept", keys.NONE)] if c != keys.NONE]
    named += [cell["unlearner"]] if "unlearner" in cell else []
    named += [label(PRETRAINED | cell)] if "variant" in cell else []
    return " ".join(named)


def named(rule: str, output: Iterable[str]) -> str:
    """ "drawing church max K=0.6"."""
    return " ".join(filter(None, [DOING.get(rule, rule), about(output)]))
