"""Who is who: pairs of earlier and present people, from a matrix of similarities."""

import numpy as np
from scipy.optimize import linear_sum_assignment

_TIE = 1e-10
"""Decides between equal similarities; float32 ones that differ do so by 6e-8, near 1."""


def greedy(
    similarity: np.ndarray, gate: float = 0.0, ages: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Links the most similar pair, then the most similar one of the others, and so on.

    Args:
        similarity: (N, M) of earlier people with present ones. -infinity: never to be linked.
        gate: least similarity of a link. With 0 everybody is linked as long as there are two
            left, even where the similarity is 0: so it is in the papers.
        ages: (N,) frames since the earlier people were last seen. Of equal similarities that of
            the person seen last goes first; then the lower row, then the lower column.

    Returns:
        rows: (n,) int64, in the order of linking.
        columns: (n,) int64, to whom each is linked. Nobody is there twice.

    Raises:
        ValueError: for NaN and +infinity, and for shapes that do not belong together.

    Reference: Xiao et al. 2018, section 3, after Girdhar et al. 2018.
    """
    similarity, recent = _checked(similarity, ages)
    left = similarity[recent]
    left[left < gate] = -np.inf
    pairs = []
    for _ in range(min(left.shape)):
        row, column = divmod(int(left.argmax()), left.shape[1])
        if left[row, column] == -np.inf:
            break
        pairs.append((recent[row], column))
        left[row] = left[:, column] = -np.inf
    rows, columns = np.array(pairs, np.int64).reshape(-1, 2).T
    return rows, columns


def hungarian(
    similarity: np.ndarray, gate: float = 0.0, ages: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Links so that the sum of the similarities of all links is largest.

    Args:
        similarity: as in `greedy`.
        gate: as in `greedy`; pairs below it add nothing to the sum.
        ages: as in `greedy`. Of equal sums that with the people seen last is taken.

    Returns:
        As `greedy`, rows ascending.

    Raises:
        ValueError: as `greedy`.

    Reference: Guo et al. 2018 (MDPN), section 2.2.
    """
    similarity, recent = _checked(similarity, ages)
    admissible = similarity >= gate
    gain = np.where(admissible, similarity, 0)
    # The bonus is the same for all pairs of a person: it changes who is linked, never with whom.
    rank = np.empty(len(recent))
    rank[recent] = np.arange(len(recent), 0, -1) / max(len(recent), 1)
    gain += _TIE * np.where(admissible, rank[:, None], 0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    linked = admissible[rows, columns]
    return rows[linked].astype(np.int64), columns[linked].astype(np.int64)


def _checked(similarity: np.ndarray, ages: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Returns the similarities in float64, and the rows with the one seen last first."""
    similarity = np.array(similarity, np.float64)
    if similarity.ndim != 2:
        raise ValueError(f"expected similarities (N, M), received {similarity.shape}")
    if np.isnan(similarity).any() or (similarity == np.inf).any():
        raise ValueError(
            "expected similarities that are numbers (or -infinity for no link), received NaN or "
            "+infinity; drop the people that cause them"
        )
    ages = np.zeros(len(similarity)) if ages is None else np.asarray(ages)
    if ages.shape != (len(similarity),):
        raise ValueError(f"expected ages ({len(similarity)},), one per row, received {ages.shape}")
    return similarity, np.argsort(ages, kind="stable")
