"""Sizes of Simple Baselines' networks: published parameter counts, and multiply-accumulates."""

import pytest

from posekit.compute import count_macs, published_gflops
from posekit.resnet import resnet
from posekit.skeletons import COCO
from topdown.networks import count_parameters
from topdown.settings import Settings
from topdown.simple_baseline import simple_baseline


def network(backbone, size=(256, 192), deconvolutions=3, kernel=4):
    settings = Settings({"coco": COCO}, size, 32 >> deconvolutions)
    return simple_baseline(backbone, settings, deconvolutions, kernel=kernel)


@pytest.fixture(scope="module")
def resnet50():
    return resnet(50)


def millions(model):
    return f"{count_parameters(model) / 1e6:.2f}"


def gmacs(model, size):
    return f"{sum(count_macs(model, size).values()) / 1e9:.2f}"


@pytest.mark.parametrize(
    ("deconvolutions", "kernel", "parameters"),
    [(3, 4, "34.00"), (2, 4, "32.95"), (3, 2, "26.14"), (3, 3, "29.41")],
    ids=["a", "b", "c", "d"],
)
def test_rows_of_the_ablation_have_their_parameters(resnet50, deconvolutions, kernel, parameters):
    model = network(resnet50, deconvolutions=deconvolutions, kernel=kernel)
    assert millions(model) == parameters


@pytest.mark.parametrize(
    ("size", "expected", "published"),
    [((128, 96), "1.36", None), ((256, 192), "5.43", 8.9), ((384, 288), "12.21", 20.0)],
)
def test_resnet50_computes_what_it_should(resnet50, size, expected, published):
    model = network(resnet50, size)
    assert gmacs(model, size) == expected
    if published:  # those figures do not follow one rule to the last digit
        assert published_gflops(model, size) == pytest.approx(published, rel=0.012)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("depth", "parameters", "macs", "published"),
    [
        (101, "52.99", ("9.06", "20.39"), (12.4, 27.9)),
        (152, "68.64", ("12.70", "28.57"), (15.7, 35.3)),
    ],
)
def test_deeper_networks_have_the_published_size(depth, parameters, macs, published):
    backbone = resnet(depth)
    sizes = (256, 192), (384, 288)
    for size, expected, gflops in zip(sizes, macs, published, strict=True):
        model = network(backbone, size)
        assert millions(model) == parameters
        assert gmacs(model, size) == expected
        assert published_gflops(model, size) == pytest.approx(gflops, rel=0.012)
