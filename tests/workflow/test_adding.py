"""A method more: a function and a line. What is there stays; only what uses it is made."""

import copy

from road import Road

END = {"tables": 1, "figures": 1, "report": 1}
SHOWN = END | {"album": 1}
DRAWN = {"generate": 1, "score": 1} | SHOWN
LIBRARY = "workflow_scripts/regrowth"

MAGNITUDE = """

def median(row, layer, n, rng) -> np.ndarray:
    return np.full(n, np.median(row))
"""
FILL = """

def row_mean(weights, mask, sigma, rng) -> np.ndarray:
    \"\"\"Each erased position takes sigma times the mean of its row's kept weights.\"\"\"
    kept = np.where(mask, 0, weights.astype(np.float64)).sum(1) / (~mask).sum(1)
    return _filled(weights, mask, sigma * np.repeat(kept, mask.sum(1)))
"""
DETECTOR = """

def row_rank(weights: np.ndarray) -> np.ndarray:
    \"\"\"The lower its rank by size within its row, the more suspicious.\"\"\"
    return -np.argsort(np.argsort(np.abs(weights), axis=1), axis=1).astype(np.float32)
"""
ERASER = """
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from regrowth.settings import Count, Number, Strict


class ByKind(Strict):
    ratio: Annotated[float, Number, Field(gt=0, lt=1)] = 0.02
    steps: Count = 10

    def of(self, kind: str) -> dict[str, Any]:
        return self.model_dump()


def mask(weights, norms, settings) -> np.ndarray:
    \"\"\"The largest share of each row by |W| times the concept's column norm (Wanda).\"\"\"
    score = np.abs(weights) * norms["target"].mean(axis=0)
    return score > np.quantile(score, 1 - settings["ratio"], axis=1, keepdims=True)
"""
JUDGE = """
import numpy as np
from regrowth.judge.networks import row


def score(judge, root, images, rows, device):
    return [row(i, judge.label, np.asarray(image).mean() / 255) for i, image in enumerate(images)]


def mistakes(judge, root):
    return []
"""
#: Of each kind: the code and its file, the line and the one before which it stands, what the smoke
#: study plans then, what a study says to use it, and what that plans.
ADDED = {
    "magnitude": (
        ("attack/magnitudes.py", MAGNITUDE),
        (
            "attack/__init__.py",
            '        "max": Magnitude(',
            '        "median": Magnitude(Place("attack.magnitudes.median")),\n',
        ),
        {},
        lambda study: study["sweep"][0]["magnitudes"].append("median"),
        {"revive": 1} | DRAWN,
    ),
    "fill": (
        ("defend/fills.py", FILL),
        (
            "defend/__init__.py",
            '        "gaussian": Fill(',
            '        "row-mean": Fill(Place("defend.fills.row_mean"), "", random=False),\n',
        ),
        {},
        lambda study: study["sweep"][1]["defences"].append("row-mean"),
        # of its own fill, and of the old one by the new detector
        {"defend": 1, "detect": 1, "complete": 1, "revive": 1, "detectability": 2}
        | {"generate": 2, "score": 2}
        | SHOWN,
    ),
    "detector": (
        ("attack/detectors.py", DETECTOR),
        (
            "attack/__init__.py",
            '        "smallest": Detector(',
            '        "row-rank": Detector(Place("attack.detectors.row_rank")),\n',
        ),
        {"detectability": 1} | END,  # which holds every detector to the truth
        lambda study: study["sweep"][1]["detectors"].append("row-rank-0.1"),
        {"detectability": 1, "detect": 1, "complete": 1, "revive": 1} | DRAWN,
    ),
    "eraser": (
        ("erase/wanda.py", ERASER),
        (
            "erase/__init__.py",
            '        "conceptprune": Eraser(',
            '        "wanda": Eraser(settings=Place("erase.wanda.ByKind"), '
            'mask=Place("erase.wanda.mask")),\n',
        ),
        {},
        lambda study: (
            study["erasers"].update(wanda={"steps": 1}),
            study["sweep"][0].update(erasers=["conceptprune", "wanda"], variants=["revived"]),
        ),
        # its norms are ConceptPrune's
        {"mask": 1, "prune": 1, "detect": 1, "complete": 2, "revive": 1, "signs": 2} | DRAWN,
    ),
}


def add(project: Road, code: tuple, line: tuple) -> None:
    file, text = code
    with open(project.root / LIBRARY / file, "a", encoding="utf-8") as held:
        held.write(text)
    file, before, text = line
    table = project.root / LIBRARY / file
    held = table.read_text(encoding="utf-8")
    assert held.count(before) == 1
    table.write_text(held.replace(before, text + before), encoding="utf-8")


def test_a_method_more_makes_what_uses_it_and_nothing_else(project):
    """One of each kind is there, then each is used, alone."""
    before, expected = copy.deepcopy(project.config), {}
    for code, line, alone, *_ in sorted(ADDED.values(), key=lambda each: bool(each[2])):
        if alone:
            assert not project.planned(), "of what was added before"
        add(project, code, line)
        expected |= alone
    try:
        assert project.planned() == expected
        for kind, (*_, use, used) in ADDED.items():
            after = copy.deepcopy(before)
            use(after)
            project.write(after)
            assert project.planned() == expected | used, kind
    finally:
        project.write(before)


def test_a_layer_family_more_is_a_line(project, tmp_path):
    (tmp_path / "other").mkdir()
    line = '        "attn1.to_q": LayerFamily(r"\\.attn1\\.to_q\\.weight$"),\n'
    add(project, ("models/card.py", ""), ("models/__init__.py", '        "ffn2": Layer', line))
    assert project.planned() == {}
    study = project.config | {"study": "queries", "layers": "attn1.to_q"}
    other = Road(tmp_path / "other", study, root=project.root)
    assert other.planned()["mask"] == 2


def test_a_judge_of_a_new_kind_gives_its_scores_alone(apart):
    line = '        "bright": JudgeKind(\n            Place("judge.bright.score"), '
    line += (
        'mistakes=Place("judge.bright.mistakes"), feeds="accuracy", by="threshold"\n        ),\n'
    )
    add(apart, ("judge/bright.py", JUDGE), ("judge/__init__.py", '        "clip": Judge', line))
    assert apart.planned() == {}
    catalogue = apart.root / "resources/demo/catalogue.yaml"
    text = catalogue.read_text(encoding="utf-8")
    text = text.replace(
        "judges: [objects, clip, fid-demo]", "judges: [objects, clip, fid-demo, day]"
    )
    text = text.replace("\njudges:\n", "\njudges:\n  day: {kind: bright, label: day}\n")
    catalogue.write_text(text, encoding="utf-8")
    kept, gone = 6, 1  # the snow's variant is drawn again, and judged by all who look at it
    assert apart.planned() == {"score": kept + 6, "generate_unsafe": gone} | SHOWN
