"""The loss of a top-down network with any number of domains."""

from keras import ops

from posekit.losses import keypoint_errors, mean_of_hardest, mean_of_keypoints, person_heatmaps
from topdown.settings import Settings


def pose_loss(outputs: dict, targets: dict, weights: dict, settings: Settings, mining: int) -> dict:
    """Squared error of every head on the samples of its domain.

    Args:
        outputs: domain -> heatmaps (B, h, w, K_domain); "DOMAIN.ANYTHING" is supervised alike, at
            its own stride, by Gaussians of the same radius in pixels of the crop.
        targets: see `input_pipeline.PersonSamples.sample`.
        weights: keypoints (B, K).
        settings: of the network.
        mining: keypoints that are kept where targets["mining"].

    Returns:
        One term of each output, (B,); 0 for samples of other domains.

    Reference: Xiao et al. 2018; MDPN, section 2.2 (OHKM; the paper does not say how much the
    intermediate prediction counts: as much as the final one).
    """
    names = list(settings.domains)
    return {
        name.replace(".", "_"): _term(
            maps, names.index(name.split(".")[0]), targets, weights, settings, mining
        )
        for name, maps in sorted(outputs.items())
    }


def _term(maps, domain: int, targets: dict, weights: dict, settings: Settings, mining: int):
    height, width, count = maps.shape[1:]
    stride = settings.size[0] // height
    sigma = settings.sigma * settings.stride / stride
    keypoints = targets["keypoints"][:, :count]
    drawn = person_heatmaps(keypoints, (height, width), stride, sigma)
    errors = keypoint_errors(drawn, maps, weights["keypoints"][:, :count])
    hard, mean = mean_of_hardest(errors, mining), mean_of_keypoints(errors)
    loss = ops.where(targets["mining"], hard, mean)
    return ops.where(ops.equal(targets["domain"], domain), loss, 0.0)
