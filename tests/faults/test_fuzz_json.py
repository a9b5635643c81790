"""Damaged annotations and results through every loader: an answer or our own error, never more."""

import numpy as np
import pytest
from annotation_forms import FORMS, write_form
from json_mutations import mutated

SECONDS = 5
"""Of the processor, which a damaged file may take at most."""
TOTAL = 2000


def spoil(name, folder, watch, count):
    """Returns how many of `count` spoilt files were read, and how many refused."""
    *_, use, ours = FORMS[name]
    path, text = write_form(name, folder)
    use(path, folder)  # as it is, it is good
    rng = np.random.default_rng(list(name.encode()))
    read = refused = 0
    for number in range(count):
        data = mutated(rng, text)
        path.write_bytes(data)
        watch(SECONDS)
        try:
            use(path, folder)
            read += 1
        except ours as error:
            refused += 1
            assert len(str(error)) < 2000, (number, str(error)[:3000])
        except Exception as error:
            pytest.fail(f"{name} {number}: {error!r:.300} for {data[:4000]!r}")
        watch(0)
    return read, refused


@pytest.mark.parametrize("name", FORMS)
def test_s6_2000_spoilt_json_files_are_read_or_refused(name, tmp_path, watch):
    count = -(-TOTAL // len(FORMS))
    read, refused = spoil(name, tmp_path, watch, count)
    assert min(read, refused) > count / 10  # neither all broken nor all harmless
