import pytest

from posekit.datasets.synthetic_posetrack import DrawnVideos, write_posetrack

VIDEOS = DrawnVideos(sequences=2, frames=16, size=(120, 160), people=(4, 6))


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    root = tmp_path_factory.mktemp("drawn")
    write_posetrack(root, "val", VIDEOS)
    return root
