import os
from pathlib import Path

import pytest

from posekit.commands import UsageError
from posekit.photos.photo_names import check_output, find_files, photos_of


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Runs in a folder of empty files, where only names matter."""
    monkeypatch.chdir(tmp_path)
    names = ("b.jpg", "a.PNG", "c d.webp", "notes.txt", ".hidden.jpg", "[1].jpg", "1.jpg")
    for name in (*names, "sub/ü 日本.jpeg", "sub/deep/b.jpg", "empty/notes.txt"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    Path("folder.jpg").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    "words, expected",
    [
        (["."], "1.jpg [1].jpg a.PNG b.jpg c d.webp"),  # no sub-folders, no other files
        (["sub/deep/b.jpg", "notes.txt", "gone.jpg"], "sub/deep/b.jpg notes.txt gone.jpg"),
        (["*.jpg"], "1.jpg [1].jpg b.jpg"),
        (["**/b.*"], "b.jpg sub/deep/b.jpg"),
        (["sub/**"], "sub/deep/b.jpg sub/ü 日本.jpeg"),
        (["[1].jpg"], "[1].jpg"),  # a file of that name comes before the glob
        (["b.jpg", "./b.jpg", "sub/../b.jpg", "."], "b.jpg 1.jpg [1].jpg a.PNG c d.webp"),
    ],
)
def test_words_become_files(tree, words, expected):
    assert " ".join(path.as_posix() for path in find_files(words)) == expected


@pytest.mark.parametrize("word", ["empty", "folder.jpg", "*.tif", "sub/deep/b.jpg*x"])
def test_a_word_without_images_is_refused_by_name(tree, word):
    with pytest.raises(UsageError, match=r"expected images .* received \d") as caught:
        find_files(["b.jpg", word])
    assert repr(word) in str(caught.value) and caught.value.exit_code == 2


def test_no_words_are_refused():
    with pytest.raises(UsageError, match="received none"):
        find_files([])


def test_a_folder_behind_a_link_counts_once_but_a_linked_photo_twice(tree):
    os.symlink("sub", "link")
    os.symlink("b.jpg", "twin.jpg")
    words = ["sub/ü 日本.jpeg", "link", "b.jpg", "twin.jpg"]
    assert [path.name for path in find_files(words)] == ["ü 日本.jpeg", "b.jpg", "twin.jpg"]


def names_of(*files, reserved=()):
    return [photo.name for photo in photos_of(list(map(Path, files)), reserved)]


def test_no_two_photos_share_the_name_of_their_results():
    assert names_of("x/a.jpg", "y/a.jpg", "a.png", "A.jpg") == ["a", "a-2", "a-3", "A-4"]
    assert names_of("a-2.jpg", "x/a.jpg", "y/a.jpg") == ["a-2", "a", "a-3"]
    assert names_of("caf\u00e9.jpg", "cafe\u0301.jpg")[1] == "cafe\u0301-2"
    assert names_of("Results.jpg", reserved=["results"]) == ["Results-2"]


def test_long_names_leave_room_for_what_is_added():
    names = names_of("é" * 125 + ".jpg", "é" * 125 + ".png")
    assert names == ["é" * 100, "é" * 100 + "-2"]


def test_file_names_start_at_the_folder_that_all_share(tree):
    files = [tree / "sub/deep/b.jpg", Path("sub/ü 日本.jpeg")]
    assert [p.file_name for p in photos_of(files)] == ["deep/b.jpg", "ü 日本.jpeg"]
    assert [p.file_name for p in photos_of(files[:1])] == ["b.jpg"]


@pytest.mark.parametrize(
    "names, ids",
    [
        (["000000000785.jpg", "x/000000000139.jpg"], [785, 139]),
        (["COCO_val2014_000000000785.jpg", "7.png"], [785, 7]),
        (["7.jpg", "07.jpg"], [1, 2]),  # one number twice
        (["7.jpg", "seven.jpg"], [1, 2]),
        (["9" * 19 + ".jpg", "5.jpg"], [1, 2]),  # beyond 64 bits
    ],
)
def test_ids_are_numbers_of_names_where_all_have_one(names, ids):
    assert [photo.image_id for photo in photos_of(list(map(Path, names)))] == ids


def test_an_output_folder_with_photos_is_refused(tree):
    photos = photos_of(find_files(["sub/deep", "b.jpg"]))
    check_output(tree / "sub", photos)
    check_output(tree / "new", photos)
    os.symlink("sub/deep", "other")
    with pytest.raises(UsageError, match=r"--output: .* holds b\.jpg"):
        check_output(Path("other"), photos)
