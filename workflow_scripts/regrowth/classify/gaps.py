"""What an unlearner comes to: how often its models are right, whom they give away, and how far that
is from a training without what is forgotten."""

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from regrowth.classify.study import KEYS, Cell
from regrowth.measure.cells import interval

#: The four of the average gap: accuracy on what is forgotten, on tests, on what is kept; and the
#: share of the forgotten that is taken for never seen, by confidence.
METRICS = ("df", "dt", "dr", "mia")
PARTS = {"df": "forget", "dt": "test", "dr": "retain"}
FEATURE, RESAMPLES, ENDS = "confidence", 1000, (0.025, 0.975)
GAPS = ["concept", "unlearner", "attack", *METRICS, *(f"d_{metric}" for metric in METRICS)]
GAPS += ["d_mia_low", "d_mia_high", "avg_gap", "low", "high", "floor", "told", "backwards", "runs"]
GAPS += ["n_forget", "reason"]
#: A model whose logits are none is a row with this.
BROKEN = "its logits are not numbers"


@dataclass(frozen=True)
class Outcome:
    """A cell's pictures. right: bool by part. unseen: bool by feature, of what is forgotten;
    nothing for a model whose logits are not numbers. passed: pictures that went backwards. nearby:
    bool by class, of `neighbours.standing_out`. taken: the class that each forgotten picture is
    taken for."""

    cell: Cell
    right: dict[str, np.ndarray]
    unseen: dict[str, np.ndarray]
    passed: int
    nearby: dict[int, np.ndarray] = field(default_factory=dict)
    taken: np.ndarray = field(default_factory=lambda: np.empty(0, int))

    @property
    def told(self) -> dict[str, np.ndarray]:
        """Bool by metric; nothing where one is lacking."""
        if FEATURE not in self.unseen:
            return {}
        return {m: self.right[p] for m, p in PARTS.items()} | {"mia": self.unseen[FEATURE]}

    @property
    def rated(self) -> dict[str, float]:
        """The metrics, in points of a hundred."""
        return {metric: 100 * float(some.mean()) for metric, some in self.told.items()}


#: What a discriminator of `neighbours` is called among the features, before its class.
BESIDE = "beside "


def outcome(cell: Cell, predicted: pd.DataFrame, parts: pd.Series, unseen, passed: int) -> Outcome:
    """predicted: picture, class, logits. parts: of a picture. unseen: picture, feature, unseen."""
    logits = np.stack(predicted["logits"].to_numpy())
    right = logits.argmax(1) == predicted["class"].to_numpy()
    part = parts.loc[predicted["picture"]].to_numpy()
    by = {name: right[part == name] for name in ("forget", "retain", "validation", "test")}
    told = {f: s["unseen"].to_numpy(bool) for f, s in unseen.groupby("feature", sort=False)}
    beside = {int(f.removeprefix(BESIDE)): told.pop(f) for f in [*told] if f.startswith(BESIDE)}
    by = by if np.isfinite(logits).all() else {}
    return Outcome(cell, by, told, passed, beside, logits.argmax(1)[part == "forget"])


def rates(outcomes: Iterable[Outcome]) -> pd.DataFrame:
    """One row per cell and part, per cell and feature of membership, and per cell and neighbour of
    a forgotten class: hits, n, rate, low, high (Wilson 95 %); of a broken model one row, with its
    reason."""
    rows = []
    for one in outcomes:
        own = {key: getattr(one.cell, key) for key in KEYS}
        if not one.right:
            rows.append(own | {"reason": BROKEN})
        told = {("accuracy", part): hits for part, hits in one.right.items()}
        told |= {("unseen", feature): hits for feature, hits in one.unseen.items()}
        told |= {("stands out", f"{BESIDE}{label}"): hits for label, hits in one.nearby.items()}
        for (metric, of), hits in told.items():
            k, n = int(hits.sum()), len(hits)
            low, high = interval(k, n)
            row = {"metric": metric, "of": of, "hits": k, "n": n, "rate": k / n if n else np.nan}
            rows.append(own | row | {"low": low, "high": high, "reason": ""})
    return pd.DataFrame(rows)


def average_gap(one: dict[str, float], other: dict[str, float]) -> float:
    """The mean of |differences|, of whatever metrics both have."""
    return float(np.mean([abs(one[m] - other[m]) for m in METRICS if m in one and m in other]))


def gaps(outcomes: Iterable[Outcome], oracle: Callable[[Cell], bool]) -> pd.DataFrame:
    """One row per concept, unlearner and attack, in points of a hundred.

    oracle: which cells are the retrained. The metrics and their differences are means over runs;
    avg_gap is the mean over pairs of a run and another retraining of the same split, so that the
    row of the retrained themselves is the noise floor, `floor` of every row. low, high, and of
    d_mia, which has its sign: 95 % of resampled pictures, the same for all runs; where nothing
    differs, those of the gap lie above zero, as a mean of magnitudes does; of the retrained
    themselves d_mia has none, since each stands on both sides. told: whether the gap is twice the
    floor or more, and more than it; one below is not told from a retraining, and without a floor
    none is told. backwards: pictures that went backwards over the retraining's. reason: of runs
    that broke, which count among `runs` and backwards and in no other figure.
    """
    rows = []
    for (concept, unlearner, attack), runs, pairs in compared(outcomes, oracle):
        row = {"concept": concept, "unlearner": unlearner, "attack": attack, "runs": len(runs)}
        if pairs:
            row |= _row(pairs)
        row["reason"] = _broken(sum(not run.told for run in runs), len(runs))
        row |= {"oracle": oracle(runs[0].cell), "passed": mean(r.passed for r in runs)}
        rows.append(row)
    table = pd.DataFrame(rows, columns=[*GAPS, "oracle", "passed"])
    oracles = table[table["oracle"]].groupby("concept")
    table["floor"] = table["concept"].map(oracles["avg_gap"].first())
    gap, floor = table["avg_gap"], table["floor"]
    told = ((gap >= 2 * floor) & (gap > floor)).astype("boolean")
    table["told"] = told.where(floor.notna())
    table.loc[table["oracle"], ["d_mia_low", "d_mia_high"]] = np.nan
    table["backwards"] = table["passed"] / table["concept"].map(oracles["passed"].mean())
    return table[GAPS]


def compared(
    outcomes: Iterable[Outcome], oracle: Callable[[Cell], bool]
) -> Iterator[tuple[tuple[str, str, str], list[Outcome], list[tuple[Outcome, Outcome]]]]:
    """Each concept, unlearner and attack; its runs; and every pair of one of these and another
    retraining of the same split, where both have told."""
    by: dict[tuple[str, str, str], list[Outcome]] = {}
    for one in outcomes:
        by.setdefault((one.cell.concept, one.cell.unlearner, one.cell.attack), []).append(one)
    for key, runs in by.items():
        against = [o for (c, *_), some in by.items() if c == key[0] for o in some if oracle(o.cell)]
        pairs = [(a, b) for a, b in product(runs, against) if _comparable(a.cell, b.cell)]
        yield key, runs, [pair for pair in pairs if pair[0].told and pair[1].told]


def _comparable(cell: Cell, other: Cell) -> bool:
    same = (cell.unlearner, cell.seed) == (other.unlearner, other.seed)
    return cell.split == other.split and not same


def _broken(n: int, runs: int) -> str:
    some = f"{n} of {runs} runs: " if n < runs else ""
    return f"{some}{BROKEN}" if n else ""


def mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _row(pairs: list[tuple[Outcome, Outcome]]) -> dict[str, Any]:
    rated = [(a.rated, b.rated) for a, b in pairs]
    metrics = {m: mean(one[m] for one, _ in rated) for m in METRICS}
    differences = {f"d_{m}": metrics[m] - mean(other[m] for _, other in rated) for m in METRICS}
    low, high = np.quantile(np.mean([_resampled(*pair) for pair in pairs], axis=0), ENDS)
    signed = np.mean([_differences(*pair, "mia") for pair in pairs], axis=0)
    differences |= dict(zip(("d_mia_low", "d_mia_high"), 100 * np.quantile(signed, ENDS)))
    gap = {"avg_gap": mean(average_gap(*pair) for pair in rated), "low": low, "high": high}
    return metrics | differences | gap | {"n_forget": len(pairs[0][0].told["df"])}


def _resampled(one: Outcome, other: Outcome) -> np.ndarray:
    """The average gap of RESAMPLES draws of the pictures with replacement."""
    total = np.zeros(RESAMPLES)
    for metric in METRICS:
        total += 100 * np.abs(_differences(one, other, metric)) / len(METRICS)
    return total


def _differences(one: Outcome, other: Outcome, metric: str) -> np.ndarray:
    """The metric's difference in RESAMPLES draws of the pictures with replacement."""
    difference = one.told[metric].astype(np.float32) - other.told[metric].astype(np.float32)
    counts = _drawn(int(one.cell.split), PARTS.get(metric, "forget"), len(difference))
    return (counts @ difference).astype(float) / len(difference)


@lru_cache(maxsize=15)  # three parts of five splits: what one unlearner's runs ask in turn
def _drawn(split: int, part: str, n: int) -> np.ndarray:
    """How often each of n pictures is drawn, in RESAMPLES rows: whole numbers, so sums are exact.
    Which are drawn depends on the split, the part and n alone, so that all runs share them."""
    draws = np.random.default_rng([split, *part.encode()])
    rows = (np.bincount(draws.integers(n, size=n), minlength=n) for _ in range(RESAMPLES))
    return np.stack([row.astype(np.float32) for row in rows])


def relearnt(curves: dict[Cell, pd.DataFrame], broken: Container[Cell] = ()) -> pd.DataFrame:
    """How many passes until the original's accuracy on what was forgotten was back; `censored`
    where the cap came first; none of what was broken before, which has that as its reason.
    curves: passes, accuracy, goal."""
    rows = []
    for cell, curve in curves.items():
        accuracy, goal = curve["accuracy"].to_numpy(), float(curve["goal"].iloc[0])
        told: dict[str, Any] = {
            "passes": len(curve) - 1,
            "censored": bool(accuracy[-1] < goal),
            "goal": goal,
        }
        told |= {"before": accuracy[0], "after": accuracy[-1], "reason": ""}
        if cell in broken:
            told = {"goal": goal, "censored": False, "reason": BROKEN}
        rows.append({key: getattr(cell, key) for key in KEYS} | told)
    columns = [*KEYS, "passes", "censored", "goal", "before", "after", "reason"]
    return pd.DataFrame(rows, columns=columns)
