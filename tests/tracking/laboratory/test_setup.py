import pytest

from tracking.flo_files import FloFolder
from tracking.laboratory.sequences import LaboratoryError
from tracking.laboratory.setup import Setup


def test_words_for_flow_come_before_folders_of_their_names(drawn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for word in ("none", "dis"):
        (tmp_path / word).mkdir()
        [sequence] = Setup(drawn, "val", word, tmp_path / "cache").sequences(False, 1)
        assert (sequence.flow is None) == (word == "none")
        assert not isinstance(sequence.flow, FloFolder)


def test_what_is_refused(drawn, tmp_path):
    with pytest.raises(LaboratoryError, match="annotations of PoseTrack there, found none"):
        Setup(tmp_path, "val", "none", tmp_path).sequences(False, None)
    with pytest.raises(LaboratoryError, match="flow to the next frame"):
        Setup(drawn, "val", "exact", tmp_path, every=2).sequences(False, None)
    with pytest.raises(ValueError, match="received 'dsi'"):
        Setup(drawn, "val", "dsi", tmp_path).sequences(False, None)
