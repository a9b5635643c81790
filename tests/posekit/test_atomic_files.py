from posekit.atomic_files import replaced_file, whole_files


def test_whole_files_leaves_out_what_is_being_written_and_hidden(tmp_path):
    for name in ("b.json", "a.json", "._a.json", ".json", "a.json.gz", "a.jsonl"):
        (tmp_path / name).touch()
    (tmp_path / "folder.json").mkdir()
    with replaced_file(tmp_path / "c.json") as scratch:
        scratch.touch()
        assert [path.name for path in whole_files(tmp_path, ".json")] == ["a.json", "b.json"]
    endings = (".json", ".json.gz")
    names = ["a.json", "a.json.gz", "b.json", "c.json"]
    assert [path.name for path in whole_files(tmp_path, endings)] == names
    assert whole_files(tmp_path / "absent", ".json") == []
