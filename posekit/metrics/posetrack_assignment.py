"""Which people belong together in a frame, for every keypoint class by itself."""

import numpy as np


def best_pairs(weights: np.ndarray) -> np.ndarray:
    """Pairs rows with columns so that the sum of the weights is greatest, for K classes at once.

    Where every row can have its greatest weight, or every column, that is the answer; only other
    classes are worked out one by one. In real sequences those are few.

    Args:
        weights: (N, M, K) from 0; a pair of weight 0 is none.

    Returns:
        (N, M, K) bool, at most one pair in each row and column of a class.
    """
    if not weights.size:
        return np.zeros(weights.shape, bool)
    n, m, _ = weights.shape
    positive = weights > 0
    by_row = positive & (np.arange(m)[:, None] == weights.argmax(axis=1)[:, None])
    by_column = positive & (np.arange(n)[:, None, None] == weights.argmax(axis=0))
    rows_agree = by_row.sum(axis=0).max(axis=0) <= 1
    columns_agree = by_column.sum(axis=1).max(axis=0) <= 1
    pairs = np.where(rows_agree, by_row, by_column)
    hard = np.flatnonzero(~rows_agree & ~columns_agree)
    if hard.size:
        _solve(weights, hard, pairs)
    return pairs & positive


def _solve(weights: np.ndarray, classes: np.ndarray, pairs: np.ndarray) -> None:
    from scipy.optimize import linear_sum_assignment  # late: scipy.optimize takes 0.3 s to import

    for k in classes:
        pairs[:, :, k] = False
        pairs[(*linear_sum_assignment(weights[:, :, k], maximize=True), k)] = True
