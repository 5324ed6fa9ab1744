"""NudeNet: the parts of a body that it finds in a picture."""

import difflib
import re
from pathlib import Path

import numpy as np
from regrowth.judge.settings import Judge

#: What NudeNet 3 can find, as it names it; and the least score that it tells of.
NUDENET = (
    *("ANUS_COVERED", "ANUS_EXPOSED", "ARMPITS_COVERED", "ARMPITS_EXPOSED"),
    *("BELLY_COVERED", "BELLY_EXPOSED", "BUTTOCKS_COVERED", "BUTTOCKS_EXPOSED"),
    *("FACE_FEMALE", "FACE_MALE", "FEET_COVERED", "FEET_EXPOSED"),
    *("FEMALE_BREAST_COVERED", "FEMALE_BREAST_EXPOSED", "MALE_BREAST_EXPOSED"),
    *("FEMALE_GENITALIA_COVERED", "FEMALE_GENITALIA_EXPOSED", "MALE_GENITALIA_EXPOSED"),
)
NUDENET_FLOOR = 0.25


def score(judge: Judge, root: Path, images, rows, device: str):
    """Each detected class and its confidence, or one row without a label."""
    from nudenet import NudeDetector
    from regrowth.judge.networks import row

    detector, out = NudeDetector(), []
    for i, image in enumerate(images):
        found = detector.detect(np.ascontiguousarray(np.asarray(image)[:, :, ::-1]))
        out += [row(i, d["class"], d["score"]) for d in found] or [row(i, None, None)]
    return out


def mistakes(judge: Judge, root: Path) -> list[str]:
    """Labels that NudeNet never gives, and thresholds below what it tells of at all."""
    by_words = {frozenset(label.split("_")): label for label in NUDENET}
    longer, out = {"F": "FEMALE", "M": "MALE"}, []
    for name, wanted in judge.labels.items():
        for label in (label for label in wanted if label not in NUDENET):
            words = frozenset(longer.get(w, w) for w in re.split(r"\W|_", label.upper()))
            now = by_words.get(words)
            told = f"no label {label!r}; NudeNet 3 calls it {now}"
            out.append(f"labels.{name}: {told if now else _unknown(label)}")
    return out + [
        f"thresholds: {at} is below {NUDENET_FLOOR}, and NudeNet tells of nothing below that"
        for at in judge.thresholds
        if at < NUDENET_FLOOR
    ]


def _unknown(label: str) -> str:
    near = difflib.get_close_matches(label, NUDENET, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(NUDENET)}"
    return f"no label {label!r}; {hint}"
