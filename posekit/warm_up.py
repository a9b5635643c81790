"""Warm-up requests: what TensorFlow Serving runs on a new version before it takes real ones.

The file is a TFRecord of PredictionLog messages. They are put together here, in the wire format of
protocol buffers, because the package that defines them (tensorflow-serving-api) requires the full
TensorFlow beside tensorflow-cpu. Field numbers: tensorflow_serving/apis/{prediction_log,predict,
model}.proto of TensorFlow Serving 2.21; the tests compare with that package where it is installed.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

FILE = "assets.extra/tf_serving_warmup_requests"
"""Where TensorFlow Serving looks, from the folder of a version."""

Request = tuple[str, dict[str, np.ndarray]]
"""Name of a signature, and its inputs; an array of bytes objects is a tensor of strings."""

_PREDICT_LOG = 6  # of PredictionLog
_REQUEST = 1  # of PredictLog
_MODEL_SPEC, _INPUTS = 1, 2  # of PredictRequest
_NAME, _SIGNATURE_NAME = 1, 3  # of ModelSpec
_KEY, _VALUE = 1, 2  # of an entry of any map


def write_warm_up(folder: Path, model_name: str, requests: Sequence[Request]) -> Path:
    """Writes the requests into the folder of a SavedModel.

    Args:
        folder: of one version, holding saved_model.pb.
        model_name: as the server knows the model.
        requests: at most 1000, which is the server's limit.

    Returns:
        The file.

    Raises:
        ValueError: more than 1000.
    """
    if len(requests) > 1000:
        raise ValueError(f"expected at most 1000 warm-up requests, received {len(requests)}")
    import tensorflow as tf

    file = folder / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for request in requests:
            writer.write(prediction_log(model_name, *request))
    return file


def prediction_log(model_name: str, signature: str, inputs: dict[str, np.ndarray]) -> bytes:
    """Encodes one request as a PredictionLog.

    Args:
        model_name: as the server knows the model.
        signature: name of the signature.
        inputs: input name -> array; of bytes objects for strings.

    Returns:
        PredictionLog { predict_log { request { model_spec { name, signature_name } inputs } } }.
    """
    import tensorflow as tf

    spec = _message((_NAME, model_name.encode()), (_SIGNATURE_NAME, signature.encode()))
    entries = []
    for name, array in sorted(inputs.items()):
        value = tf.make_tensor_proto(array).SerializeToString()
        entries.append((_INPUTS, _message((_KEY, name.encode()), (_VALUE, value))))
    request = _message((_MODEL_SPEC, spec), *entries)
    return _message((_PREDICT_LOG, _message((_REQUEST, request))))


def _message(*fields: tuple[int, bytes]) -> bytes:
    """Encodes (number, content) fields of text, bytes or messages: wire type 2, with a length."""
    return b"".join(
        _varint(number << 3 | 2) + _varint(len(content)) + content for number, content in fields
    )


def _varint(value: int) -> bytes:
    """Encodes a whole number in base 128, lowest digit first; the top bit says that more follow."""
    digits = []
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes([*digits, value])
