"""How much of the lost signs came back (the paper's Tables 5 and 6). Evaluation only."""

import numpy as np
import pandas as pd
from regrowth.attack.revival import top_k

SHARES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def sign_accuracy(truth: np.ndarray, guess: np.ndarray, order: np.ndarray | None = None):
    """Per share of the guesses, largest first: how many signs are right, in it and in the rest.

    truth, guess: (n,); zeros in `truth` have no sign and are left out. order: what "largest"
    means, (n,), default |guess|. Returns a frame: share, n, right, n_rest, right_rest.
    """
    signed = truth != 0
    truth, guess = truth[signed], guess[signed]
    order = np.abs(guess) if order is None else np.abs(order[signed])
    right = np.sign(truth) == np.sign(guess)
    rows = []
    for share in SHARES:
        top = top_k(order, share) if len(order) else np.zeros(0, bool)
        rows.append(
            (
                share,
                int(top.sum()),
                int(right[top].sum()),
                int((~top).sum()),
                int(right[~top].sum()),
            )
        )
    return pd.DataFrame(rows, columns=["share", "n", "right", "n_rest", "right_rest"])


def alignment(truth: np.ndarray, guess: np.ndarray, parts: int = 5) -> np.ndarray:
    """Magnitude alignment (Table 5): of recovered fifth i, the share that is pretrained fifth j.

    truth, guess: (n,). Fifth 0 holds the largest magnitudes. Returns (parts, parts), rows sum to 1.
    """
    out = np.zeros((parts, parts))
    if not len(truth):
        return out
    fifth = [np.empty(len(truth), int) for _ in range(2)]
    for into, values in zip(fifth, (guess, truth)):
        into[np.argsort(-np.abs(values), kind="stable")] = (
            np.arange(len(truth)) * parts // len(truth)
        )
    np.add.at(out, tuple(fifth), 1)
    return out / np.maximum(out.sum(axis=1, keepdims=True), 1)


def majority(weights: np.ndarray, missing: np.ndarray, axis: int) -> np.ndarray:
    """Guess each missing sign by the kept weights of its row (axis 1) or column (axis 0).

    weights, missing: (out, in). Returns (n_missing,), row-major: the mean sign, 0 on a tie.
    """
    signs = np.where(missing, 0, np.sign(weights.astype(np.float32)))
    kept = np.maximum((~missing).sum(axis=axis, keepdims=True), 1)
    mean = signs.sum(axis=axis, keepdims=True) / kept
    return np.broadcast_to(mean, weights.shape)[missing]
