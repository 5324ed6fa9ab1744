"""Which concept was erased: how often the guess is right, against chance."""

import numpy as np
import pandas as pd
from regrowth.files import keys
from statsmodels.stats.proportion import proportion_confint

COLUMNS = [*keys.RELEASED, "by", "candidates", "guess", "rank", "score", "next"]

#: What gives a concept away, in words.
WORDS = {"holes": "its holes", "edit": "what was edited"}


def identified(scores: pd.DataFrame) -> pd.DataFrame:
    """A row a released model: the likeliest candidate, and which the erased concept's `rank` is of
    all `candidates` (the worst of those that score alike); score: its own, next: the best of the
    others'. scores: candidate, score and by, with the keys of what is released; nan is no answer.
    """
    out = []
    for place, part in scores.groupby([*keys.RELEASED, "by"], sort=False):
        own = part.loc[part["candidate"] == place[0], "score"]
        if own.empty or part["score"].isna().all():
            told = ["", np.nan, np.nan, np.nan]
        else:
            mine = float(own.iloc[0])
            others = part.loc[part["candidate"] != place[0], "score"].fillna(-np.inf)
            guess = part.loc[part["score"].idxmax(), "candidate"]
            told = [guess, 1 + int((others >= mine).sum()), mine, others.max()]
        out.append((*place, len(part), *told))
    return pd.DataFrame(out, columns=COLUMNS)


def answer(table: pd.DataFrame) -> str:
    """How often the first guess is right, and one of the first three, by what gave it away, with
    Wilson's intervals; who has no answer is wrong."""
    if table.empty:
        return ""
    told = []
    for by, part in table.groupby("by", sort=False):
        n, chance = len(part), part["candidates"].rdiv(1).mean()
        ways = []
        for most, words in ((1, "the first guess"), (3, "one of the first three")):
            hits = int((part["rank"] <= most).sum())
            low, high = proportion_confint(hits, n, method="wilson")
            ways.append(f"{words} is right for {hits} of {n} [{low:.2f}, {high:.2f}]")
        silent = int(part["rank"].isna().sum())
        none = f", of {silent} there is no answer" if silent else ""
        luck = f"by chance {chance:.2f} and {min(1, 3 * chance):.2f}"
        told.append(f"by {WORDS[by]}, {ways[0]}, {ways[1]} ({luck}){none}")
    return f"Which concept was erased, whoever has the model before can tell: {'; '.join(told)}."
