import dataclasses

import pytest

from tracking.settings import TrackerSettings

WRONG = [
    *(("queue", 0), ("shortest", 0), ("gate", 1.1), ("decay", -0.1), ("oks_nms", 2.0)),
    *(("box_nms", float("nan")), ("margin", float("nan")), ("margin", -0.1)),
    *(("shot_threshold", 0.0), ("shot_threshold", float("nan"))),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_numbers_out_of_range_are_refused(field, value):
    with pytest.raises(ValueError, match=field):
        TrackerSettings(**{field: value})


def test_what_the_papers_state():
    settings = TrackerSettings()
    stated = (settings.box_threshold, settings.keypoint_threshold, settings.margin)
    assert stated == (0.5, 0.4, 0.15)  # Simple Baselines
    assert (settings.oks_nms, settings.queue, settings.shortest) == (0.4, 8, 2)  # MDPN
    assert dataclasses.replace(settings, oks_nms=None, shot_threshold=6.0).oks_nms is None
