import shutil

from tracking.laboratory import networks
from tracking.laboratory.report import score
from tracking.laboratory.rows import run_rows, similarity_grid, threshold_grid, track_sequence
from tracking.laboratory.setup import Setup
from tracking.recipes import RECIPES

B6 = RECIPES["simple-baselines-b6"][1]


def test_the_papers_directions_on_drawn_videos(drawn):
    """A small laboratory; the whole one is `scripts/track_lab.py` without options."""
    sequences = Setup(drawn, "val", None, drawn / "cache").sequences(False, None)
    names = ("simple-baselines-b1", "simple-baselines-b3", "simple-baselines-b6")
    rows = {name: RECIPES[name][1] for name in names}
    results = run_rows(rows, sequences, networks.simulated(0))
    scores = {name: score(result, sequences) for name, result in results.items()}
    alone, joint, several = (scores[name] for name in names)
    assert joint.mean("ap") > alone.mean("ap") + 2
    assert joint.mean("mota") > alone.mean("mota") + 2
    assert several.mean("mota") > joint.mean("mota")


def test_people_of_damaged_pictures_are_missed(drawn, tmp_path):
    root = shutil.copytree(drawn, tmp_path / "data")
    [damaged] = root.glob("images/val/000001_mpii_drawn/000003.*")
    damaged.write_bytes(b"\xff\xd8\xff")
    sequences = Setup(root, "val", "dis", tmp_path / "cache").sequences(False, None)
    recipe = RECIPES["simple-baselines-b6"][1]
    found = [track_sequence(s, recipe, networks.simulated(0)(s, recipe)) for s in sequences]
    people = [list(map(len, poses)) for poses in found]
    assert [len(counts) for counts in people] == [16, 16]
    assert people[0][3] == 0 and min(people[0][:3] + people[0][4:] + people[1]) > 0
    [entry] = sequences[1].rejected.entries()
    assert entry["path"] == damaged.relative_to(root).as_posix()


def test_grids():
    grid = similarity_grid(B6)
    assert len(grid) == 8
    assert grid["multi-flow, hungarian"].tracker.queue == 8
    assert {row.tracker.gate for row in grid.values()} == {0.0}
    points = threshold_grid(B6, (0.1, 0.2), (0.3,))
    assert points[0.2, 0.3].tracker.box_threshold == 0.2
    assert points[0.2, 0.3].tracker.keypoint_threshold == 0.3
