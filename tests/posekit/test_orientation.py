import numpy as np
import pytest

from posekit.affine import transform_points
from posekit.orientation import turn_back, turn_upright, upright_to_stored

STORED = np.arange(4 * 7).reshape(4, 7)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_points_go_where_their_pixels_go(orientation):
    upright = turn_upright(STORED, orientation)
    np.testing.assert_array_equal(turn_back(upright, orientation), STORED)
    transform = upright_to_stored(orientation, upright.shape)
    y, x = np.indices(upright.shape)
    points = transform_points(np.stack([x, y], -1).astype(np.float32), transform).astype(int)
    np.testing.assert_array_equal(STORED[points[..., 1], points[..., 0]], upright)


def test_six_is_turned_clockwise_and_two_is_mirrored():
    np.testing.assert_array_equal(turn_upright(STORED, 6), np.rot90(STORED, -1))
    np.testing.assert_array_equal(turn_upright(STORED, 2), STORED[:, ::-1])
    np.testing.assert_array_equal(turn_upright(STORED, 0), STORED)
