"""Masks as packed bits."""

import numpy as np


def pack(mask: np.ndarray) -> np.ndarray:
    """bool (out, in) → uint8 bits, row-major."""
    return np.packbits(mask)


def unpack(bits: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Inverse of `pack`."""
    return np.unpackbits(bits, count=int(np.prod(shape))).astype(bool).reshape(shape)
