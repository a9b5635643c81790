"""Losses, one value per example; the training loop sums the terms and averages over the batch."""

from keras import ops


def masked_l2(target, prediction, weights=1.0):
    """Squared error under a weight map, averaged over every cell and channel.

    Args:
        target: (B, h, w, C).
        prediction: (B, h, w, C).
        weights: broadcastable to (B, h, w, C); 0 leaves a cell out of the sum. The mean still
            counts it, so that an image is not made louder by what is ignored in it.

    Returns:
        (B,) float32.
    """
    error = ops.square(ops.cast(prediction, "float32") - target) * weights
    return ops.mean(error, axis=(1, 2, 3))


def heatmap_loss(outputs: dict, targets: dict, weights: dict, mask_weight: float = 1.0) -> dict:
    """L2 loss of the keypoint subnet and of each of its intermediate predictions.

    Args:
        outputs: heatmaps (B, h, w, K), mask (B, h, w, 1), and maybe K2..K5 (B, h, w, K + 1).
        targets: heatmaps (B, h, w, K), mask (B, h, w, 1).
        weights: heatmaps (B, h, w, 1): the paper's W, 0 on people without keypoint annotation;
            mask (B, h, w, 1): 0 where the person mask is not known.
        mask_weight: factor on the mask channel of every prediction.

    Returns:
        "heatmaps", "mask" and one term per intermediate level, each (B,).

    Reference: MultiPoseNet eq. 4. W does not zero the mask channel: people without keypoints have
    masks. All predictions count alike; the mean runs over the K + 1 channels together.
    """
    channels = targets["heatmaps"].shape[-1] + 1
    share = {"heatmaps": (channels - 1) / channels, "mask": mask_weight / channels}

    def terms(prediction):
        return {
            name: share[name] * masked_l2(targets[name], prediction[name], weights[name])
            for name in share
        }

    loss = terms(outputs)
    for level in sorted(set(outputs) - set(share)):
        maps = {"heatmaps": outputs[level][..., :-1], "mask": outputs[level][..., -1:]}
        loss[level] = sum(terms(maps).values())
    return loss
