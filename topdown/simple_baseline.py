"""Simple Baselines and MDPN: a backbone, deconvolutions, and a 1x1 convolution for each domain."""

from collections.abc import Mapping

import keras
from keras import layers

from topdown.deconvolution import deconvolve, predict_maps
from topdown.settings import PoseReading, Settings

INTERMEDIATE = "intermediate"
"""Name of MDPN's prediction on C3 among a domain's outputs: "coco.intermediate"."""


def simple_baseline(
    backbone: keras.Model,
    settings: Settings,
    deconvolutions: int = 3,
    filters: int = 256,
    kernel: int = 4,
    skip: bool = False,
) -> keras.Model:
    """Builds the network of Simple Baselines or, with several domains, of MDPN.

    Args:
        backbone: images to "C2".."C5", from `posekit.backbones.make_backbone`.
        settings: crop size, and the domains with their skeletons; kept in the model.
        deconvolutions: 3, or 2 for maps at stride 8.
        filters: channels of each deconvolution.
        kernel: of each deconvolution: 4, 3 or 2.
        skip: MDPN's intermediate prediction on C3, which is also added back in front of the third
            deconvolution.

    Returns:
        Model from (B, height, width, 3) RGB pixel values 0 to 255 to a dict: domain -> heatmaps
        (B, height / stride, width / stride, K) float32; with `skip` also "DOMAIN.intermediate" ->
        heatmaps (B, height / 8, width / 8, K). `topdown.settings.settings_of` reads the settings.

    Raises:
        ValueError: settings whose stride is not that of the deconvolutions, or a skip with other
            than 3 of them.

    Reference: Xiao et al. 2018, section 2; Guo et al. 2018 (MDPN), section 2.2. Which conv3 the
        intermediate prediction reads is not said: C3 alone has the size of the second
        deconvolution's output. Each domain has its own intermediate 1x1 convolution; the sum of
        their returns to 256 channels is what the third deconvolution gets.
    """
    if any(side % (32 if skip else settings.stride) for side in settings.size):
        raise ValueError(
            f"expected a crop size in multiples of {32 if skip else settings.stride}, received "
            f"{settings.size}"
        )
    if settings.stride != 32 >> deconvolutions or (skip and deconvolutions != 3):
        raise ValueError(
            f"expected stride {32 >> deconvolutions} with {deconvolutions} deconvolutions, and 3 "
            f"of them with a skip, received stride {settings.stride}, skip {skip}"
        )
    images = keras.Input((*settings.size, 3), dtype="float32", name="crops")
    levels = backbone(PoseReading(settings, name="reading")(images))
    x, outputs = levels["C5"], {}
    for number in range(deconvolutions):
        x = deconvolve(x, filters, kernel, name=f"deconv{number + 1}")
        if skip and number == 1:
            maps, back = _intermediate(levels["C3"], settings.domains, filters)
            outputs |= maps
            x = layers.Add(name="skip")([x, *back])
    x = _cut(x, [side // settings.stride for side in settings.size])
    for domain, skeleton in settings.domains.items():
        outputs[domain] = predict_maps(x, skeleton.num_keypoints, name=f"head_{domain}")
    return keras.Model(images, outputs, name="mdpn" if skip else "simple_baseline")


def _cut(x, size: list[int]):
    """Cuts off the rows and columns that C5 has beyond the crop where 32 does not divide its size.

    Without, the maps of mirrored crops would not lie on those of the crops.
    """
    beyond = [(0, have - want) for have, want in zip(x.shape[1:3], size, strict=True)]
    return layers.Cropping2D(beyond, name="cut")(x) if any(map(any, beyond)) else x


def _intermediate(c3, domains: Mapping, filters: int) -> tuple[dict, list]:
    """Predicts each domain's maps from C3 and turns them back into features."""
    maps, back = {}, []
    for domain, skeleton in domains.items():
        name = f"{INTERMEDIATE}_{domain}"
        predicted = predict_maps(c3, skeleton.num_keypoints, name=name)
        maps[f"{domain}.{INTERMEDIATE}"] = predicted
        back.append(layers.Conv2D(filters, 1, name=f"{name}_back")(predicted))
    return maps, back
