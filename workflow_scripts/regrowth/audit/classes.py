"""What was done to a checkpoint, in words, from what its matrices tell."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from regrowth.audit.fills import Fills, fills, together
from regrowth.audit.layouts import TEXT
from regrowth.audit.reading import Checkpoint
from regrowth.audit.traces import SPARSE, Difference, Trace, difference, trace
from regrowth.models import LAYERS
from regrowth.models.disk import COMPONENTS

#: In words, and what each means to whoever wants the concept back.
CLASSES = {
    "pruned": "weights were set to zero, and the zeros say where",
    "pruned and filled": "weights were replaced by something that has nothing to do with them",
    "masked fine-tune": "some weights were trained on, and all others left as they were",
    "low-rank edit": "to some matrices a product of two thin ones was added",
    "full fine-tune": "whole matrices were trained on",
    "untouched": "every weight is the base's",
    "another model": "its weights have nothing to do with the base's",
    "no trace": "nothing shows in the file alone; with its base more would be known",
}
#: What was replaced is as far from what it was as that is from zero, and more; what was trained on
#: is nearer. In squares.
REPLACED = 0.5
#: Cosine below which a matrix has nothing to do with the base's, of half of them.
UNRELATED = 0.5
#: Of the changed weights, zeroed: then pruning is what was done.
ZEROED = 0.5


@dataclass(frozen=True)
class Done:
    """kind: of CLASSES. why: what of the file says so."""

    kind: str
    why: str


def of_a_file(traces: Sequence[Trace], looked: Mapping[str, Fills]) -> Done:
    """From the file alone. looked: by family of layers, what was found of fills."""
    if cut := pruned(traces):
        return Done("pruned", _zeros(cut))
    told = {name: one for name, one in looked.items() if one.told != "none"}
    certain = {name: one for name, one in told.items() if one.told == "filled"}
    if certain:
        return Done("pruned and filled", "; ".join(_fills(*one) for one in certain.items()))
    why = (
        f"no matrix has more zeros than chance, and in {_n(looked, 'family', 'families')} of layers"
    )
    why += " detectors find no more fills than in drawn ones"
    if told:
        why += ", but for a few: " + "; ".join(_fills(*one) for one in told.items())
    return Done("no trace", why)


def beside_its_base(traces: Sequence[Trace], differences: Sequence[Difference]) -> Done:
    """With the base. differences: of every matrix, and of vectors as matrices of one row."""
    moved = [d for d in differences if d.changed]
    if not moved:
        return Done("untouched", f"all of {len(differences)} tensors are the base's")
    n, size = sum(d.changed for d in moved), sum(d.size for d in moved)
    zeroed = sum(d.zeroed for d in moved)
    what = f"{len(moved)} of {len(differences)} tensors differ, in {n / size:.2%} of their weights"
    if text := sum(d.name.startswith(TEXT) for d in moved):
        what += f" ({text} of them the text encoder's)"
    if zeroed >= ZEROED * n:
        return Done("pruned", f"{what}; {zeroed / n:.1%} of what differs is zero now")
    if np.median([d.cosine for d in moved]) < UNRELATED and len(moved) > len(differences) / 2:
        return Done("another model", f"{what}, and point elsewhere")
    if n <= SPARSE * size:
        by = sum(d.moved * d.changed for d in moved) / n
        kind = "pruned and filled" if by >= REPLACED else "masked fine-tune"
        return Done(kind, f"{what}, by {by:.2g} of their square; the others are bit-equal")
    if cut := pruned(traces):
        return Done("pruned", f"{_zeros(cut)}; {what}")
    matrices = [d for d in moved if min(d.shape) > 1]
    ranks = sorted(d.rank for d in matrices if d.rank is not None)
    if matrices and len(ranks) == len(matrices):
        return Done("low-rank edit", f"{what}, by a matrix of rank {ranks[0]} to {ranks[-1]}")
    return Done("full fine-tune", f"{what}, and the differences are not low in rank")


def pruned(traces: Sequence[Trace]) -> list[Trace]:
    """Those of matrices that were pruned."""
    return [t for t in traces if t.pruned]


def _zeros(cut: Sequence[Trace]) -> str:
    n = sum(t.pruned for t in cut)
    size = sum(t.shape[0] * t.shape[1] for t in cut)
    rows, columns = sum(t.rows for t in cut), sum(t.columns for t in cut)
    why = f"{n:,} zeros in {_n(cut, 'matrix', 'matrices')}, {n / size:.2%} of their weights"
    whole = [f"{k} whole {w}{'s' * (k > 1)}" for k, w in ((rows, "row"), (columns, "column")) if k]
    return why + (f", of them {' and '.join(whole)}" if whole else "")


def _fills(family: str, one: Fills) -> str:
    if one.is_quiet:
        return f"{family}: fills smaller than what is around them in {one.quiet} of {one.layers}"
    return f"{family}: {one.ratio:.1f} times as many weights look filled as by chance"


def _n(some, one: str, many: str) -> str:
    return f"{len(some)} {one if len(some) == 1 else many}"


@dataclass(frozen=True)
class Told:
    """traces: of every matrix; fills: by family of layers, where they were looked for; differences:
    of every tensor from the base's, if that is known."""

    done: Done
    traces: list[Trace]
    fills: dict[str, Fills]
    differences: list[Difference]


def told(given: Checkpoint, base: Checkpoint | None) -> Told:
    """What was done to a checkpoint. Fills are looked for where no zeros are found, and no base
    tells."""
    found, different = [], []
    matrices = set(given.matrices())
    for name, tensor in given.tensors.items():
        weights = tensor.value()
        flat = weights.reshape(len(weights), -1) if weights.ndim > 1 else weights.reshape(1, -1)
        if name in matrices:
            found.append(trace(name, flat))
        if base:
            different.append(difference(name, flat, base.tensors[name].value().reshape(flat.shape)))
    if base:
        return Told(beside_its_base(found, different), found, {}, different)
    if pruned(found):
        return Told(of_a_file(found, {}), found, {}, [])
    looked = together({name: fills(own) for name, own in families(given)})
    return Told(of_a_file(found, looked), found, looked, [])


def families(given: Checkpoint) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """The matrices of each family of layers that erasers are known to take, one after the other."""
    for name, family in LAYERS.items():
        before = COMPONENTS[family.component]
        own = [n for n in given.matrices() if re.search(f"^{before}.*{family.pattern}", n)]
        if own:
            yield name, {n: given.matrix(n) for n in own}
