"""DIS flow against known motion: shifts, drawn people, and people whose keypoints are annotated."""

import cv2
import numpy as np
import pytest

from posekit.datasets.posetrack_files import read_sequence
from posekit.datasets.synthetic import render_video
from posekit.frames import Frame
from posekit.images import read_image
from tracking.flow import DisFlow, agreement, dis_flow, flow_between

HEIGHT, WIDTH = 120, 160


def texture(dx=0.0, dy=0.0, size=(HEIGHT, WIDTH)):
    """A smooth random pattern, moved by (dx, dy), grey as RGB."""
    rng = np.random.default_rng(0)
    waves = rng.uniform(-0.6, 0.6, (40, 2)), rng.uniform(0, 2 * np.pi, 40)
    y, x = np.indices(size)[..., None]
    sum_of_waves = np.sin((x - dx) * waves[0][:, 0] + (y - dy) * waves[0][:, 1] + waves[1]).sum(-1)
    return np.repeat(np.uint8(128 + 10 * sum_of_waves.clip(-12, 12))[..., None], 3, axis=2)


def errors(flow, dx, dy):
    return np.linalg.norm(flow.vectors - np.float32([dx, dy]), axis=2)


@pytest.mark.parametrize(("dx", "dy"), [(0.5, 0.25), (-3.3, 2.6), (7.75, -5.1)])
@pytest.mark.parametrize(
    ("preset", "limit"), [("ultrafast", 0.35), ("fast", 0.3), ("medium", 0.05)]
)
def test_a_shift_is_found_to_a_fraction_of_a_pixel(preset, limit, dx, dy):
    flow = dis_flow(texture(), texture(dx, dy), preset)
    assert np.median(errors(flow, dx, dy)) < limit
    assert flow.reliable.mean() > 0.7


def test_vectors_lie_where_the_motion_is():
    # Of a whole picture that moves alike, a mirrored or transposed field would look the same.
    dx, dy, moving = 3.0, -2.0, (slice(10, 50), slice(80, 150))
    second = texture()
    second[moving] = texture(dx, dy)[moving]
    found = np.abs(dis_flow(texture(), second).vectors - np.float32([dx, dy])).max(axis=2) < 0.5
    y, x = np.nonzero(found)
    assert found[20:40, 90:140].mean() > 0.9
    assert x.min() > 60 and y.max() < 70


def test_what_leaves_the_frame_is_not_reliable():
    flow = dis_flow(texture(), texture(7.75, -5.1))
    assert not flow.reliable[:, WIDTH - 7 :].any() and not flow.reliable[:4].any()
    assert flow.reliable[8:, : WIDTH - 12].mean() > 0.95


def test_lower_resolution_keeps_lengths():
    dx, dy = 4.5, -3.0
    flow = dis_flow(texture(), texture(dx, dy), longest_side=97)
    assert flow.size == (HEIGHT, WIDTH) == flow.reliable.shape
    assert np.median(errors(flow, dx, dy)) < 0.2


def test_resizing_leaves_the_centres_of_pixels_in_place():
    # "Flow" that says how far a pixel's centre is from the corner must still say so. From 61x90 to
    # 21x31 the ratios of the sides differ, and neither is whole.
    def corner_distances(first, second):
        y, x = np.indices(first.shape[:2], np.float32) + np.float32(0.5)
        return np.stack([x, y], axis=-1)

    image = np.zeros((61, 90), np.uint8)
    flow = flow_between(corner_distances, image, image, False, longest_side=31)
    wanted = corner_distances(image, image)
    np.testing.assert_allclose(flow.vectors[3:-3, 3:-3], wanted[3:-3, 3:-3], atol=2e-3)
    assert flow.reliable is None


def test_agreement_by_hand():
    forward = np.zeros((3, 6, 2), np.float32)
    forward[..., 0] = 1
    backward = np.zeros_like(forward)
    backward[..., 0] = -1
    backward[1, 3] = (-0.28, 0)  # 0.72² = 0.518 > 0.01 (1 + 0.0784) + 0.5
    backward[1, 4] = (-0.2872, 0)  # 0.7128² = 0.5081 < 0.01 (1 + 0.0825) + 0.5
    wanted = np.ones((3, 6), bool)
    wanted[:, 5] = False  # leads out of the frame
    wanted[1, 2] = False
    np.testing.assert_array_equal(agreement(forward, backward), wanted)


def test_what_gets_hidden_is_not_reliable():
    # A square of another pattern moves 12 pixels to the right over a still background.
    first, second = texture(), texture()
    square = texture(3.0, 50.0)[:60, :60]
    first[30:90, 40:100], second[30:90, 52:112] = square, square
    flow = dis_flow(first, second)
    assert np.median(errors(flow, 12, 0)[35:85, 45:95]) < 0.2
    hidden, seen = flow.reliable[34:86, 103:111], flow.reliable[36:84, 46:94]
    assert hidden.mean() < 0.2 and seen.mean() > 0.95


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (9, 11), (40, 5), (64, 64)])
def test_black_and_tiny_frames_do_not_move(size):
    black = np.zeros((*size, 3), np.uint8)
    flow = dis_flow(black, black)
    assert flow.size == size and not flow.vectors.any() and flow.reliable.all()
    assert not dis_flow(black, black + 255).vectors.any()


def test_what_has_no_flow_is_refused():
    image = np.zeros((20, 30, 3), np.uint8)
    with pytest.raises(ValueError, match=r"one size .* received \(20, 30\) and \(30, 20\)"):
        dis_flow(image, image.transpose(1, 0, 2))
    with pytest.raises(ValueError, match="uint8 RGB, received"):
        dis_flow(image / 255, image / 255)
    with pytest.raises(ValueError, match="received 'slow'"):
        DisFlow("slow")
    with pytest.raises(ValueError, match="longest_side from 16, received 8"):
        DisFlow(longest_side=8)


def test_the_source_passes_its_settings_on():
    first, second = Frame(texture(), 0), Frame(texture(2, 1), 1)
    flow = DisFlow("fast", consistency=False, longest_side=80)(first, second)
    wanted = dis_flow(texture(), texture(2, 1), "fast", False, 80)
    np.testing.assert_array_equal(flow.vectors, wanted.vectors)
    assert flow.reliable is None


def test_people_of_drawn_videos_are_followed():
    # Measured: 0.25 pixels on the people, who move 2.0.
    frames = list(render_video(4, 3, (240, 320), people=(3, 4)))
    wrong, still = [], []
    for first, second in zip(frames, frames[1:], strict=False):
        people = first["person_mask"]
        flow = dis_flow(first["image"], second["image"])
        wrong.append(np.linalg.norm(flow.vectors - first["flow"], axis=2)[people])
        still.append(np.linalg.norm(first["flow"], axis=2)[people])
    wrong, still = np.median(np.concatenate(wrong)), np.median(np.concatenate(still))
    assert wrong < 0.2 * still


def test_annotated_keypoints_of_real_people_move_with_the_flow(shared):
    # Measured on all 40 pairs: 1.7 pixels beside the annotation, 6.7 without moving; where the flow
    # is not reliable, 2 % of them, 5.2.
    folder = shared / "data/bonn_posetrack"
    people = read_sequence(folder / "annotations/test/060470979.json")
    images = {k: read_image(folder / people.file_names[k]) for k in (*range(0, 41, 8),)}
    images |= {k + 1: read_image(folder / people.file_names[k + 1]) for k in range(0, 40, 8)}
    moved, still = [], []
    for k in range(0, 40, 8):
        here, there = keypoints_of_both(people, k, k + 1)
        flow = dis_flow(images[k], images[k + 1], longest_side=480)
        both = (here[..., 2] > 0) & (there[..., 2] > 0)
        way = there[..., :2] - here[..., :2]
        moved.append(np.linalg.norm(flow.at(here[..., :2])[0] - way, axis=2)[both])
        still.append(np.linalg.norm(way, axis=2)[both])
    moved, still = np.concatenate(moved), np.concatenate(still)
    assert np.median(still) > 3 and np.median(moved) < 0.4 * np.median(still)


def keypoints_of_both(people, first, second):
    """Of those in both frames, (N, 15, 3) each."""
    rows = [np.flatnonzero(people.frame == k) for k in (first, second)]
    _, *which = np.intersect1d(*(people.track_ids[row] for row in rows), return_indices=True)
    return (people.keypoints[row[i]] for row, i in zip(rows, which, strict=True))


def test_flow_does_not_depend_on_the_number_of_threads():
    threads = cv2.getNumThreads()
    try:
        flows = []
        for count in (1, 2, 5):
            cv2.setNumThreads(count)
            flows.append(dis_flow(texture(), texture(3, 2)).vectors)
    finally:
        cv2.setNumThreads(threads)
    np.testing.assert_array_equal(flows[0], flows[1])
    np.testing.assert_array_equal(flows[0], flows[2])
