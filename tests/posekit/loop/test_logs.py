import numpy as np
import pytest
import tensorflow as tf

from posekit.loop.logs import RunLog


def test_pictures_are_written_and_one_of_another_shape_is_no_full_disk(tmp_path):
    (tmp_path / "pictures").mkdir()
    with RunLog(tmp_path, epochs=1) as log:
        log.write_pictures({"a": np.zeros((8, 8, 3), np.uint8)}, epoch=1, step=1)
        assert (tmp_path / "pictures" / "a-0001.png").is_file()
        with pytest.raises(tf.errors.InvalidArgumentError):
            log.write_pictures({"b": np.zeros((8, 8), np.uint8)}, epoch=1, step=1)
