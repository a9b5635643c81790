import pytest

from tracking.benchmark_stream import measure


def test_a_killed_stream_goes_on_to_the_same_bytes(tmp_path):
    found = measure(tmp_path / "short", frames=260)
    assert found["same_bytes"] and found["frames_of_video"] == 260
    assert 100 <= found["lines_left"] < 260
    assert found["lines_left"] % 100  # killed between two checkpoints


@pytest.mark.slow
def test_memory_is_flat_over_10_000_frames(tmp_path):
    found = measure(tmp_path / "long")
    assert found["same_bytes"] and found["frames_of_video"] == 10_000
    assert abs(found["megabytes_per_1000_frames"]) < 0.5
