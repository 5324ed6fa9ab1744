"""Judges: each looks at pictures and returns raw scores; thresholds come later, in tables."""

from dataclasses import dataclass

from regrowth.kinds import Kind, Place


@dataclass(frozen=True)
class JudgeKind:
    """score: (judge, root, pictures, rows, device) → rows, as in `judges.score`. mistakes: (judge,
    root) → a line for each thing that is wrong with an entry of a catalogue.

    feeds: the table that its scores make. by: of one of rates, what a hit is: "top", the label is
    the picture's class; "threshold", the score reaches the entry's. vectors: (judge, root,
    pictures, device) → features, float32 (n, width), of a kind that FID is computed from; width: if
    each such judge gives as many. classes: it tells classes apart. gpu: it is faster on one.
    """

    score: Place
    mistakes: Place
    feeds: str
    by: str = ""
    vectors: Place | None = None
    width: int | None = None
    classes: bool = False
    gpu: bool = True


JUDGES = Kind(
    "judge",
    {
        "classifier": JudgeKind(
            Place("judge.classifier.score"),
            mistakes=Place("judge.classifier.mistakes"),
            feeds="accuracy",
            by="top",
            classes=True,
        ),
        "detector": JudgeKind(
            Place("judge.detector.score"),
            mistakes=Place("judge.detector.mistakes"),
            feeds="accuracy",
            by="threshold",
        ),
        "clip": JudgeKind(
            Place("judge.clip.score"), mistakes=Place("judge.clip.mistakes"), feeds="similarity"
        ),
        "text": JudgeKind(
            Place("judge.text.score"),
            mistakes=Place("judge.text.mistakes"),
            feeds="accuracy",
            by="threshold",
        ),
        "nudenet": JudgeKind(
            Place("judge.nudenet.score"),
            mistakes=Place("judge.nudenet.mistakes"),
            feeds="detections",
            gpu=False,
        ),
        "features": JudgeKind(
            Place("judge.features.score"),
            mistakes=Place("judge.features.mistakes"),
            feeds="fid",
            vectors=Place("judge.features.vectors"),
        ),
        "integrity": JudgeKind(
            Place("judge.features.score"),
            mistakes=Place("judge.features.mistakes"),
            feeds="integrity",
        ),
        "inception": JudgeKind(
            Place("judge.inception.score"),
            mistakes=Place("judge.inception.mistakes"),
            feeds="fid",
            vectors=Place("judge.inception.vectors"),
            width=2048,
        ),
    },
)
#: The kinds of judge that FID is computed from.
FEATURES = tuple(name for name, kind in JUDGES.items() if kind.vectors)
#: Those that a sampler can be guided by (`judge.steering`).
STEERING = ("classifier", "clip")
#: Those whose scores are features, which tables read cell by cell.
READ_BY_CELL = tuple(name for name, kind in JUDGES.items() if kind.feeds in ("fid", "integrity"))
