"""Damaged pictures through every reader: pixels or our own error, never more, and one verdict."""

import numpy as np
import pytest
import tensorflow as tf
from annotation_files import SIZE, coco_person, coco_truth, write_coco
from picture_mutations import mutated
from pictures import COLOUR, GREY, PALETTE, encoded, noise, turned, with_alpha

from multiposenet.input_pipeline import KeypointSamples
from posekit.datasets.coco import load_coco
from posekit.graph_images import decode_in_graph
from posekit.images import ImageError, image_orientation, image_size, read_image
from posekit.metrics.voc import read_labels
from posekit.photos.photo_names import photos_of
from posekit.photos.predict_files import PhotoReader
from posekit.video.faults import VideoError
from posekit.video.picture_folder import PictureFolder
from topdown.input_pipeline import PersonSamples
from topdown.people import labelled_people
from topdown.settings import Settings

SECONDS = 5
"""Of the processor, which a damaged picture may take at most."""
NOISE = noise(SIZE)
KINDS = {
    "jpeg": encoded(NOISE, "JPEG", quality=90, exif=turned(6)),
    "jpeg-progressive": encoded(NOISE, "JPEG", progressive=True),
    "jpeg-grey": encoded(GREY, "JPEG", restart_marker_blocks=2),
    "jpeg-cmyk": encoded(COLOUR.convert("CMYK"), "JPEG"),
    "png": encoded(NOISE, "PNG", exif=turned(8)),
    "png-alpha": encoded(with_alpha(COLOUR), "PNG"),
    "png-palette": encoded(PALETTE, "PNG", transparency=3),
    "png-grey": encoded(GREY, "PNG", compress_level=0),
    "gif": encoded(PALETTE, "GIF", save_all=True, append_images=[PALETTE.rotate(180)]),
    "bmp": encoded(PALETTE, "BMP"),
    "webp": encoded(COLOUR, "WEBP", lossless=True, exif=turned(3)),
}
EACH = 250
"""Of eight kinds of JPEG and PNG 2,000, and of the others."""


class Readers:
    """All that reads pictures, of one file, as a COCO folder, a photo and a folder of frames."""

    def __init__(self, folder):
        write_coco(folder, coco_truth([coco_person(1, 1)], 1))
        self.path = folder / "val" / "1.png"
        dataset = load_coco(folder, "val")
        people = labelled_people([dataset])
        self.samples = KeypointSamples(dataset, (32, 32))
        settings = Settings({"coco": dataset.skeleton}, (32, 32))
        self.make_people = lambda: PersonSamples(people, settings, ("coco",))
        self.photos = photos_of([self.path])

    def check(self, data):
        """Returns True where the file is read; all readers must agree."""
        self.path.write_bytes(data)
        image, reason = answer(lambda: read_image(self.path))
        for read in (self._photo, self._frame):
            assert (answer(read)[0] is None) == (image is None)
        for read in (image_size, image_orientation, read_labels):
            answer(lambda read=read: read(self.path))
        used = image is not None and image.shape[:2] == SIZE
        assert self.samples.sample(0)[2]["mask"].any() == used
        assert self.make_people().sample(0)[2]["keypoints"].any() == used
        self._check_served(data, image, reason)
        return image is not None

    def _photo(self):
        return PhotoReader(self.photos).example(0)["image"]

    def _frame(self):
        return next(PictureFolder(self.path.parent).frames(), None)

    def _check_served(self, data, image, reason):
        """The graph reads JPEG and PNG alone."""
        served, _ = answer(lambda: decode(data).numpy(), tf.errors.InvalidArgumentError)
        if served is None:
            assert image is None or data[:3] != b"\xff\xd8\xff" and data[:4] != b"\x89PNG"
        elif image is None:  # it does not look at what stands beside the pixels
            assert "broken PNG file" in reason
        else:
            np.testing.assert_array_equal(served, image)


def answer(read, errors=(ImageError, VideoError)):
    """Returns what is read, or None and the reason."""
    try:
        return read(), ""
    except errors as error:
        assert isinstance(error, tf.errors.OpError) or 0 < len(str(error)) < 1000
        return None, str(error)


@tf.function(input_signature=[tf.TensorSpec((), tf.string)])
def decode(data):
    return decode_in_graph(data)


def spoil(kind, folder, watch, count):
    """Puts `count` damaged files through all readers; returns how many were read."""
    readers, rng = Readers(folder), np.random.default_rng(list(kind.encode()))
    assert readers.check(KINDS[kind])  # as it is, it is good
    read = 0
    for number in range(count):
        data = mutated(rng, KINDS[kind])
        watch(SECONDS)
        try:
            read += readers.check(data)
        except Exception as error:
            (folder / "failed").write_bytes(data)
            pytest.fail(f"{kind} {number}: {error!r:.500}")
        watch(0)
    return read


@pytest.mark.parametrize("kind", KINDS)
def test_s6_100_spoilt_pictures_are_read_or_refused(kind, tmp_path, watch):
    spoil(kind, tmp_path, watch, 10)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_s6_2000_spoilt_pictures_are_read_or_refused(kind, tmp_path, watch):
    read = spoil(kind, tmp_path, watch, EACH)
    assert 0 < read < 0.9 * EACH  # of PNG few are, whose checksums cover all
