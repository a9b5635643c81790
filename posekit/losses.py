"""Losses, one value per example; the training loop sums the terms and averages over the batch."""

import math

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


def focal_loss(logits, target, weights, gamma: float = 2.0, alpha: float = 0.25):
    """Cross-entropy of anchors that fades where the network is right and sure.

    Args:
        logits: (B, A, 1).
        target: (B, A, 1) float32, 1 on anchors of a person, 0 elsewhere.
        weights: (B, A, 1) float32; 0 leaves an anchor out.
        gamma: exponent of one minus the probability of the right answer.
        alpha: weight of the anchors of people; that of the others is 1 - alpha.

    Returns:
        (B,) float32: the sum divided by the image's number of anchors of people, at least by 1.

    Reference: Lin et al. 2017 (RetinaNet), eq. 5. Computed from logits: Keras' own one clips
    probabilities and has no gradient where the network is sure and wrong.
    """
    right = ops.cast(logits, "float32") * (2 * target - 1)
    share = alpha * target + (1 - alpha) * (1 - target)
    loss = share * ops.sigmoid(-right) ** gamma * ops.softplus(-right) * weights
    return ops.sum(loss, axis=(1, 2)) / _count(target * weights)


def smooth_l1(target, prediction, weights, sigma: float = 3.0):
    """Sum over anchors of people of a distance that is square below 1 / sigma², else straight.

    Args:
        target: (B, A, 4).
        prediction: (B, A, 4).
        weights: (B, A, 1) float32, 1 on anchors of a person, 0 elsewhere.
        sigma: the squares are sigma² d² / 2, the straight part is |d| - 1 / (2 sigma²).

    Returns:
        (B,) float32: the sum over anchors and the four numbers, divided by the image's number of
        anchors of people, at least by 1.

    Reference: Girshick 2015 (Fast R-CNN), eq. 3; sigma as in Faster R-CNN.
    """
    distance = ops.abs(ops.cast(prediction, "float32") - target)
    near = 0.5 * sigma**2 * ops.square(distance)
    loss = ops.where(distance < 1 / sigma**2, near, distance - 0.5 / sigma**2)
    return ops.sum(loss * weights, axis=(1, 2)) / _count(weights)


def detection_loss(outputs: dict, targets: dict, weights: dict) -> dict:
    """Losses of the person detector.

    Args:
        outputs: class_logits (B, A, 1), box_deltas (B, A, 4).
        targets: class (B, A, 1), box_deltas (B, A, 4).
        weights: class (B, A, 1), box_deltas (B, A, 1).

    Returns:
        "class" and "box_deltas", each (B,).
    """
    deltas = targets["box_deltas"], outputs["box_deltas"], weights["box_deltas"]
    return {
        "class": focal_loss(outputs["class_logits"], targets["class"], weights["class"]),
        "box_deltas": smooth_l1(*deltas),
    }


def _count(positives):
    """(B, A, 1) -> (B,), at least 1."""
    return ops.maximum(ops.sum(positives, axis=(1, 2)), 1.0)


def person_heatmaps(keypoints, map_size: tuple[int, int], stride: int, sigma: float):
    """Draws the targets of single-person crops inside the graph.

    The same maps as `heatmaps.encode_person_heatmaps` to float rounding; drawn where the loss is
    computed, 17 maps of 64x48 need not travel with every crop.

    Args:
        keypoints: (B, K, 3); x, y in crop pixels, v.
        map_size: (h, w) in cells.
        stride: crop pixels per cell.
        sigma: Gaussian radius in cells.

    Returns:
        (B, h, w, K) float32; 0 where v = 0.
    """
    height, width = map_size
    cells = keypoints[..., :2] / stride + 0.5
    cells = ops.sign(cells) * ops.floor(ops.abs(cells))  # int(): towards zero

    def profile(centres, length):
        distance = ops.arange(length, dtype="float32")[None, :, None] - centres[:, None]
        inside = ops.abs(distance) <= math.ceil(3.0 * sigma)
        values = ops.exp(ops.square(distance) * (-0.5 / sigma**2))
        return ops.where(inside, values, 0.0)

    columns = profile(cells[..., 0], width)
    rows = profile(cells[..., 1], height) * ops.cast(keypoints[:, None, :, 2] > 0, "float32")
    return rows[:, :, None] * columns[:, None]


def keypoint_errors(target, prediction, weights):
    """Half the mean squared error of each keypoint's map.

    Args:
        target: (B, h, w, K).
        prediction: (B, h, w, K).
        weights: (B, K); 0 makes a keypoint's error 0.

    Returns:
        (B, K) float32.

    Reference: Xiao et al. 2018 and their code: both maps are multiplied by the weight.
    """
    error = ops.square(ops.cast(prediction, "float32") - target)
    return 0.5 * ops.mean(error, axis=(1, 2)) * ops.square(weights)


def mean_of_keypoints(errors):
    """Mean over all K keypoints, those of weight 0 counted as 0; (B, K) -> (B,)."""
    return ops.mean(errors, axis=-1)


def mean_of_hardest(errors, count: int = 8):
    """Mean over the keypoints of greatest error: online hard keypoint mining (OHKM).

    Args:
        errors: (B, K), 0 for keypoints that are not labelled; such are taken where fewer than
            `count` are labelled, as in the field's code.
        count: keypoints of each person, at most K.

    Returns:
        (B,)

    Reference: Chen et al. 2018 (CPN), section 3.2; MDPN, section 2.2: 8 keypoints.
    """
    hardest, _ = ops.top_k(errors, min(count, errors.shape[-1]))
    return ops.mean(hardest, axis=-1)
