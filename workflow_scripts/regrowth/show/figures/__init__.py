"""Figures of a study, for its page and for a paper. Each returns a Figure.

An SVG keeps its text as text, and names a curve or a point where the mouse rests.
"""

from regrowth.show.figures import defences, frontier, layers, rates, signs

#: Those drawn from tables, by the name that its file and its caption have.
FIGURES = {
    "accuracy": rates.accuracy,
    "over-k": rates.over_k,
    "signs": signs.signs,
    "alignment": signs.alignment,
    "layers": layers.layers,
    "alone": layers.alone,
    "frontier": frontier.frontier,
    "defences": defences.defences,
    "detectability": defences.detectability,
    "roc": defences.roc,
}
