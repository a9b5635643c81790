import numpy as np
import pytest
from encoded_videos import encode
from tracked_walks import run_track

from posekit.commands import UsageError
from tracking.flo_files import FloFolder, write_flo
from tracking.flow import DisFlow
from tracking.flow_choice import flow_facts, flow_of, kind_of_flow
from tracking.flow_field import Flow


def folder_of(path, *lengths):
    path.mkdir(parents=True)
    for index, length in enumerate(lengths):
        write_flo(path / f"{index:06d}.flo", Flow(np.full((40, 60, 2), length, np.float32)))
    return path


def test_words_come_before_folders_of_their_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("dis", "none", "exact", "net.keras"):
        folder_of(tmp_path / name, 1.0)
    assert isinstance(flow_of("dis"), DisFlow) and flow_of("none") is None
    assert isinstance(flow_of("./dis"), FloFolder) and kind_of_flow("./none") == "folder"
    assert kind_of_flow("net.keras") == "folder"
    with pytest.raises(UsageError, match="--flow: expected dis, none.* received 'diss'"):
        kind_of_flow("diss")


def test_folders_are_told_apart_by_their_files(tmp_path):
    first = folder_of(tmp_path / "a" / "flow", 1.0, 2.0)
    same = folder_of(tmp_path / "b" / "flow", 1.0, 2.0)
    others = [
        folder_of(tmp_path / "c" / "flow", 1.0, 2.5),
        folder_of(tmp_path / "d" / "flow", 1.0),
        folder_of(tmp_path / "e" / "flow", 1.0, 2.0, 3.0),
    ]
    facts, models = flow_facts(str(first))
    assert facts["flow"] == "flow" and models == ()
    assert flow_facts(str(same))[0] == facts
    assert all(flow_facts(str(other))[0] != facts for other in others)


def test_words_and_networks_have_no_files_to_compare(tmp_path):
    assert flow_facts("dis") == ({"flow": "dis"}, ())
    network = tmp_path / "net.keras"
    assert flow_facts(str(network)) == ({"flow": "net.keras"}, (network,))


def test_a_run_is_not_resumed_with_another_folder_of_the_same_name(tmp_path, monkeypatch):
    source = encode(tmp_path / "a.mp4", [np.zeros((40, 60, 3), np.uint8)] * 3)
    first = folder_of(tmp_path / "a" / "flow", 0.0, 0.0)
    other = folder_of(tmp_path / "b" / "flow", 0.0, 1.0)
    words = tmp_path / "out", source, "--no-video", "--flow"
    assert run_track(monkeypatch, *words, first).code == 0
    done = run_track(monkeypatch, *words, other, "--resume")
    assert done.code == 2 and "settings.flow_files: " in done.err
    assert run_track(monkeypatch, *words, first, "--resume").code == 0
