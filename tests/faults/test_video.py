"""Videos that are damaged, or that say wrong things of themselves, through scripts/track.py."""

import hashlib
import json

import numpy as np
import pytest
from encoded_videos import declare, encode, opencv_video
from script_runs import run_script
from tracked_walks import lines_of, run_track

from posekit.strict_json import read_json
from posekit.video.reading import open_video
from tracking.benchmark_stream import patches_at, walk

IMAGES = list(walk(30))


def cut_avi(folder):
    path = opencv_video(folder / "cut.avi", IMAGES)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    return path


def overwritten_mp4(folder):
    path = opencv_video(folder / "over.mp4", IMAGES, "mp4v")
    data = bytearray(path.read_bytes())
    middle, noise = len(data) // 2, np.random.default_rng(1).integers(0, 256, 400, np.uint8)
    data[middle : middle + 400] = noise.tobytes()
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("make", "decoded"), [(cut_avi, 17), (overwritten_mp4, 21)])
def test_v1_every_decoded_frame_of_a_damaged_video_has_a_result(
    make, decoded, tmp_path, monkeypatch
):
    source, out = make(tmp_path), tmp_path / "out"
    before = hashlib.sha256(source.read_bytes()).digest()
    done = run_track(monkeypatch, out, source, "--json")
    said = f"declared 30 frames, decoded {decoded}"
    assert done.code == 3 and said in done.err
    frames = lines_of(out)
    assert [frame.index for frame in frames] == list(range(decoded))
    assert sum(len(frame.poses) for frame in frames) > 2 * decoded
    report = read_json(out / "report.json")
    assert report["declared"] == 30 and report["decoded"] == report["frames"] == decoded
    assert {"kind": "count", "frame": decoded, "reason": said} in report["faults"]
    assert json.loads(done.out) == report
    assert sum(1 for _ in open_video(out / "video.mp4").frames()) == decoded
    assert len(read_json(out / "posetrack18.json")["images"]) == decoded
    assert hashlib.sha256(source.read_bytes()).digest() == before
    flow = run_script(
        "compute_flow", source, "--preset", "ultrafast", "--output", tmp_path / "flow"
    )
    assert flow.code == 3 and said in flow.err
    assert len(list((tmp_path / "flow").iterdir())) == decoded - 1


def test_v1_a_cut_file_that_counts_no_frames_is_told_by_its_length(tmp_path, monkeypatch):
    source = encode(tmp_path / "a.webm", IMAGES, "libvpx")
    data = source.read_bytes()
    source.write_bytes(data[: len(data) // 2])
    done = run_track(monkeypatch, tmp_path / "out", source)
    frames = lines_of(tmp_path / "out")
    assert done.code == 3 and 0 < len(frames) < 18
    assert f"declared 1.20 s, decoded {len(frames) / 25:.2f} s" in done.err


def test_v1_what_gives_no_frame_at_all_is_refused(tmp_path, monkeypatch):
    (tmp_path / "empty.mp4").touch()
    cut = opencv_video(tmp_path / "cut.mp4", IMAGES, "mp4v")  # its index was at its end
    cut.write_bytes(cut.read_bytes()[:2000])
    for name, reason in (("empty.mp4", "the file is empty"), ("cut.mp4", "Invalid data")):
        for done in (
            run_track(monkeypatch, tmp_path / "out", tmp_path / name),
            run_script("compute_flow", tmp_path / name, "--output", tmp_path / "flow"),
        ):
            assert done.code == 2 and name in done.err and reason in done.err
    assert not (tmp_path / "out").exists() and not (tmp_path / "flow").exists()


def two_rates(folder):
    """Two files put one behind the other; the second starts 3 seconds before the first."""
    stamps = 3000 + 40 * np.arange(8), 100 * np.arange(8)
    parts = [
        encode(folder / f"{place}.ts", IMAGES[:8], stamps=one.tolist(), bf="0").read_bytes()
        for place, one in enumerate(stamps)
    ]
    path = folder / "both.ts"
    path.write_bytes(b"".join(parts))
    return path, 2 * IMAGES[:8], (np.concatenate(stamps) - 3000) / 1000


def varying(folder):
    stamps = np.concatenate([np.arange(8) * 40, 280 + np.arange(1, 9) * 100, [1081, 5000]])
    return encode(folder / "a.mkv", IMAGES[:18], stamps=stamps), IMAGES[:18], stamps / 1000


@pytest.mark.parametrize("make", [varying, two_rates])
def test_v2_frames_of_a_varying_rate_keep_their_times_and_numbers(make, tmp_path, monkeypatch):
    source, images, times = make(tmp_path)
    done = run_track(monkeypatch, tmp_path / "out", source)
    assert done.code == 0, done.err  # nothing was lost
    frames = lines_of(tmp_path / "out")
    assert [frame.index for frame in frames] == list(range(len(times)))
    np.testing.assert_allclose([frame.time for frame in frames], times, atol=1e-3)
    shown = [frame.time for frame in open_video(tmp_path / "out" / "video.mp4").frames()]
    assert len(shown) == len(times) and (np.diff(shown) > 0).all()
    rising = np.maximum.accumulate(times)  # a file cannot go back
    np.testing.assert_allclose(shown, rising, atol=2e-3)
    for frame, image in zip(frames, images, strict=True):  # each has its own people
        x = np.flatnonzero((image.max(axis=2) > 128).any(axis=0))
        assert abs(frame.poses.boxes[:, 0].min() - x.min()) <= 3


@pytest.mark.parametrize("declared", [20, 40])
def test_v2_a_wrong_count_of_frames_is_said_and_none_is_lost(declared, tmp_path, monkeypatch):
    source = declare(opencv_video(tmp_path / "a.avi", IMAGES), declared)
    done = run_track(monkeypatch, tmp_path / "out", source, "--no-video")
    assert done.code == 3 and f"declared {declared} frames, decoded 30" in done.err
    assert [frame.index for frame in lines_of(tmp_path / "out")] == list(range(30))


@pytest.mark.parametrize("count", [0, 1])
def test_v2_videos_of_one_frame_and_of_none(count, tmp_path, monkeypatch):
    source = opencv_video(tmp_path / "a.avi", [patches_at(10)])
    data = source.read_bytes()
    source.write_bytes(data if count else data[: data.index(b"movi") + 4])
    done = run_track(monkeypatch, tmp_path / "out", source, "--tracker.shortest", 1)
    assert done.code == (0 if count else 3), done.err
    assert count or "declared 1 frames, decoded 0" in done.err
    assert [len(frame.poses) for frame in lines_of(tmp_path / "out")] == [3] * count
    assert len(read_json(tmp_path / "out" / "coco.json")) == 3 * count
    assert (tmp_path / "out" / "video.mp4").exists() == bool(count)
