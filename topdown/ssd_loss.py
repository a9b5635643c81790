"""SSD's loss: people against the hardest background, and the distance of boxes."""

from keras import ops

from posekit.losses import smooth_l1

NEGATIVES = 3
"""Background boxes that count for each default box of a person."""


def ssd_loss(outputs: dict, targets: dict, weights: dict) -> dict:
    """Losses of SSD, one number per image.

    Args:
        outputs: class_logits (B, A, 2) of background and person, box_deltas (B, A, 4).
        targets: class (B, A, 1), 1 on people; box_deltas (B, A, 4).
        weights: class (B, A, 1), 0 leaves a default box out; box_deltas (B, A, 1), 1 on people.

    Returns:
        "class" and "box_deltas", each (B,): sums over the image divided by its number of default
        boxes of people. An image without people has no loss, as in the paper.

    Reference: Liu et al. 2016 (SSD), equations 1 to 3 and "hard negative mining". The paper's N
    is taken per image, so that a loss does not depend on what else is in the batch, nor on how
    the batch is spread over devices.
    """
    deltas = targets["box_deltas"], outputs["box_deltas"], weights["box_deltas"]
    return {
        "class": class_loss(outputs["class_logits"], targets["class"], weights["class"]),
        "box_deltas": smooth_l1(*deltas, sigma=1.0),
    }


def class_loss(logits, target, weights, negatives: int = NEGATIVES):
    """Cross-entropy of people and of the background that the network takes for people most.

    Args:
        logits: (B, A, 2) of background and person.
        target: (B, A, 1), 1 on people.
        weights: (B, A, 1); 0 leaves a default box out.
        negatives: boxes of background per box of a person, at most.

    Returns:
        (B,) float32, divided by the image's number of default boxes of people, at least by 1.
    """
    logits = ops.cast(logits, "float32")
    margin = logits[..., 1:] - logits[..., :1]
    positive = target * weights
    people = ops.sum(positive, axis=(1, 2))
    sought = ops.sum(ops.softplus(-margin) * positive, axis=(1, 2))
    # Only their sum is wanted: sorted losses will do, which boxes they are of is not asked.
    background = ops.softplus(margin) * (1 - target) * weights
    background = -ops.sort(-background[..., 0], axis=-1)
    rank = ops.arange(background.shape[1], dtype="float32")
    hardest = ops.where(rank < negatives * people[:, None], background, 0.0)
    return (sought + ops.sum(hardest, axis=1)) / ops.maximum(people, 1.0)
