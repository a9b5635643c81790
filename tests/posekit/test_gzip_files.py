import gzip

import pytest

from posekit.gzip_files import plain_file


def test_plain_files_are_themselves_and_packed_ones_a_copy_that_goes(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("[1]")
    with plain_file(path) as plain:
        assert plain == path
    path.with_name("a.json.gz").write_bytes(gzip.compress(b"[1]" * 1_000_000))
    with plain_file(str(path) + ".gz") as plain:
        assert plain.name == "a.json" and plain.read_bytes() == b"[1]" * 1_000_000
        assert plain.parent != tmp_path
    assert not plain.exists()


def test_unpacking_stops_at_the_limit(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(5 << 20)))
    with pytest.raises(ValueError, match="bomb.gz: expected at most 100 bytes"):
        with plain_file(path, max_bytes=100):
            pass


def test_errors_of_a_reader_name_the_file(tmp_path):
    path = tmp_path / "a.json.gz"
    path.write_bytes(gzip.compress(b"[1]"))
    with pytest.raises(ValueError, match=f"^{path}: bad$"):
        with plain_file(path) as plain:
            raise ValueError(f"{plain}: bad")
    with pytest.raises(ValueError, match="^other$"):
        with plain_file(path):
            raise ValueError("other")
