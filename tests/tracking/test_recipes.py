from topdown.ledger_rows import PAPERS
from tracking.recipes import POSE_RECIPES, RECIPES


def test_every_row_of_the_tables_has_a_recipe():
    rows = [f"simple-baselines-{letter}{number}" for letter in "abc" for number in range(1, 7)]
    right = ["", "-no-box-threshold", "-no-keypoint-threshold", "-no-pruning", "-no-flow"]
    left = ["", "-no-gaussian", "-no-offset", "-no-box-threshold", "-no-oks-nms", "-no-rescoring"]
    rows += [f"mdpn-tracks{end}" for end in right] + [f"mdpn-a{end}" for end in left]
    assert sorted(RECIPES) == sorted(rows)


def test_what_the_rows_say():
    a1, b3, c6 = (RECIPES[f"simple-baselines-{row}"][1] for row in ("a1", "b3", "c6"))
    assert (a1.tracker.similarity, a1.tracker.propagation, a1.tracker.queue) == ("box", False, 1)
    assert (b3.tracker.similarity, b3.tracker.propagation, b3.tracker.queue) == ("box", True, 1)
    assert (c6.tracker.similarity, c6.tracker.propagation, c6.tracker.queue) == ("flow", True, 8)
    assert {a1.tracker.matching, c6.tracker.matching} == {"greedy"}
    assert (a1.tracker.box_threshold, a1.tracker.keypoint_threshold) == (0.5, 0.4)
    assert (a1.detector, b3.detector, "r152" in c6.network) == ("R-FCN", "FPN-DCN", True)
    assert dict(c6.published) == {"mAP": 76.7, "MOTA": 65.4}
    mdpn = RECIPES["mdpn-tracks"][1].tracker
    assert (mdpn.matching, mdpn.queue, mdpn.propagation) == ("hungarian", 8, False)
    assert (mdpn.box_nms, mdpn.oks_nms, mdpn.shortest) == (0.6, 0.4, 2)
    assert RECIPES["mdpn-tracks-no-pruning"][1].tracker.shortest == 1
    poses = RECIPES["mdpn-a-no-oks-nms"][1]
    assert (poses.linked, poses.tracker.oks_nms, poses.tracker.keypoint_threshold) == (
        *(False, None),
        0.0,
    )


def test_papers_that_do_not_track():
    enhanced, scut = (POSE_RECIPES[f"{name}-poses"][1] for name in ("enhanced", "scut-samsung"))
    assert (enhanced.flip, enhanced.tracker.box_threshold) == (True, 0.0)
    assert (scut.flip, scut.tracker.box_threshold) == (False, 0.15)
    assert not enhanced.linked and scut.tracker.keypoint_threshold == 0


def test_the_ledger_and_the_recipes_state_the_same_figures():
    rows = {row.id: row for paper in PAPERS for row in paper.rows}
    for name, (_, recipe) in RECIPES.items():
        short = name.replace("simple-baselines-", "sb-5-").replace("mdpn-", "mdpn-2-")
        assert dict(rows[short].published) == dict(recipe.published), name
        assert any(command.startswith(f"track_lab.py {name} ") for command in rows[short].commands)


def test_every_row_that_the_ledger_names_is_there():
    commands = {command for paper in PAPERS for row in paper.rows for command in row.commands}
    named = {command.split()[1] for command in commands if command.startswith("track_lab.py ")}
    assert named - (RECIPES | POSE_RECIPES).keys() == set()
