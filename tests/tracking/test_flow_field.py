import numpy as np
import pytest

from tracking.flow_field import Flow


def test_between_pixels_it_is_interpolated():
    vectors = np.zeros((2, 3, 2))
    vectors[0, 1], vectors[1, 1] = (4, 8), (8, 0)
    found, reliable = Flow(vectors).at(np.array([[1.0, 0.0], [0.5, 0.0], [1.0, 0.25], [1.5, 0.5]]))
    np.testing.assert_allclose(found, [[4, 8], [2, 4], [5, 6], [3, 2]])
    assert reliable.all()


def test_what_is_reliable_is_that_of_the_nearest_pixel():
    known = np.array([[True, False, True]])
    points = np.array([[0.4, 0], [0.6, 0], [1.4, 0], [1.6, 0]])
    _, reliable = Flow(np.zeros((1, 3, 2)), known).at(points)
    assert reliable.tolist() == [True, False, False, True]


def test_outside_it_is_that_of_the_border_and_not_reliable():
    vectors = np.zeros((2, 2, 2))
    vectors[1, 1] = (3, 4)
    found, reliable = Flow(vectors).at(np.array([[9.0, 7.0], [1.4, 1.4], [-0.6, 0.0]]))
    np.testing.assert_allclose(found, [[3, 4], [3, 4], [0, 0]])
    assert reliable.tolist() == [False, True, False]
    assert Flow(vectors).at(np.zeros((0, 2)))[0].shape == (0, 2)


@pytest.mark.parametrize(
    ("vectors", "reliable", "words"),
    [
        (np.zeros((2, 2)), None, "expected flow"),
        (np.full((2, 2, 2), np.nan), None, "finite"),
        (np.zeros((2, 2, 2)), np.ones((2, 3), bool), "reliable"),
    ],
)
def test_what_is_refused(vectors, reliable, words):
    with pytest.raises(ValueError, match=words):
        Flow(vectors, reliable)
