"""The 4-bit baseline: symmetric per-row rounding, weights only. It maps 0 to 0."""

import numpy as np

LEVELS = 7


def quantise(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(out, in) → codes (uint8, two to a byte, row-major) and scales (float32, out)."""
    w = weights.astype(np.float32)
    scales = np.abs(w).max(axis=1) / LEVELS
    codes = np.rint(w / np.where(scales > 0, scales, 1)[:, None]).astype(np.int8) + 8
    flat = codes.astype(np.uint8).ravel()
    flat = np.append(flat, np.zeros(len(flat) % 2, np.uint8))
    return flat[::2] << 4 | flat[1::2], scales


def dequantise(codes: np.ndarray, scales: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Inverse of `quantise`, up to half a level. Returns float32 (out, in)."""
    flat = np.stack([codes >> 4, codes & 15], axis=1).ravel()[: shape[0] * shape[1]]
    return (flat.astype(np.float32) - 8).reshape(shape) * scales[:, None]
