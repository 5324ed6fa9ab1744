"""Membership inference as the published code has it: a classifier on one feature tells the pictures
that a model was trained on from those it never saw; of what was forgotten, the share that it takes
for never seen."""

import numpy as np
from regrowth.classify import FEATURES
from scipy.special import log_softmax, softmax

#: As in the published code.
C, SMALLEST = 3.0, 1e-30


def unseen(name: str, parts: np.ndarray, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Of each forgotten picture, in order, whether it is taken for one never seen.

    name: a key of FEATURES. parts: `split.split`'s. Members are the first kept pictures, as many as
    tests (or the tests as many as these); non-members the tests. Where all features are alike,
    nothing tells them apart, and everything is taken for seen.
    """
    from sklearn.svm import SVC

    features = FEATURES[name](logits, labels).reshape(len(labels), -1)
    members, others = features[parts == "retain"], features[parts == "test"]
    n = min(len(members), len(others))
    some = np.concatenate([members[:n], others[:n]])
    if (some == some[0]).all():
        return np.zeros(int((parts == "forget").sum()), bool)
    told = SVC(C=C, gamma="auto", kernel="rbf").fit(some, np.repeat([1, 0], n))
    return told.predict(features[parts == "forget"]) == 0


def correctness(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return (logits.argmax(1) == labels).astype(float)


def confidence(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The true class's probability."""
    return softmax(logits.astype(float), 1)[np.arange(len(labels)), labels]


def entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    log = log_softmax(logits.astype(float), 1)
    return -(np.exp(log) * log).sum(1)


def m_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Modified entropy (Song and Mittal): −(1 − p_y) log p_y − Σ_{c ≠ y} p_c log(1 − p_c)."""
    p = softmax(logits.astype(float), 1)
    rest = np.maximum(1 - p, SMALLEST)
    own = np.arange(len(labels)), labels
    others = p * np.log(rest)
    others[own] = rest[own] * np.log(np.maximum(p[own], SMALLEST))
    return -others.sum(1)


def m_entropy_published(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """As the published code computes it: every class that any picture has counts as each picture's
    own, and log p stands for log(1 − p)."""
    p = softmax(logits.astype(float), 1)
    log = np.log(np.maximum(p, SMALLEST))
    weight = p.copy()
    present = np.unique(labels)
    weight[:, present] = 1 - p[:, present]
    return -(weight * log).sum(1)


def probabilities(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return softmax(logits.astype(float), 1)
