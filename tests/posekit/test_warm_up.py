import importlib.util

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from posekit.warm_up import FILE, prediction_log, write_warm_up

IMAGE = np.arange(2 * 3 * 200 * 3, dtype=np.uint8).reshape(2, 3, 200, 3)
JPEGS = np.array([b"\xff\xd8\x00", b"", b"\xff" * 200], object)
# The part of tensorflow_serving/apis/*.proto that a warm-up request needs. A tensor is read as
# bytes, which have the same wire format as a message.
MESSAGES = {
    "PredictionLog": {"predict_log": (6, "PredictLog")},
    "PredictLog": {"request": (1, "PredictRequest")},
    "PredictRequest": {"model_spec": (1, "ModelSpec"), "inputs": (2, "Entry")},
    "ModelSpec": {"name": (1, "string"), "signature_name": (3, "string")},
    "Entry": {"key": (1, "string"), "value": (2, "bytes")},
}


def own_prediction_log():
    """Makes the message class of a PredictionLog from MESSAGES."""
    file = descriptor_pb2.FileDescriptorProto(name="warm_up.proto", package="warm_up")
    field_type = descriptor_pb2.FieldDescriptorProto
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            label = field_type.LABEL_REPEATED if kind == "Entry" else field_type.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            added.type = getattr(field_type, f"TYPE_{kind.upper()}", field_type.TYPE_MESSAGE)
            if kind in MESSAGES:
                added.type_name = f".warm_up.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("warm_up.PredictionLog"))


def tensor_of(content: bytes):
    proto = tf.make_tensor_proto(0)
    proto.ParseFromString(content)
    return tf.make_ndarray(proto)


def test_requests_are_read_back_by_a_protobuf_parser(tmp_path):
    requests = [("serving_default", {"image": IMAGE}), ("from_jpeg", {"image_bytes": JPEGS})]
    file = write_warm_up(tmp_path, "people", requests)
    assert file == tmp_path / FILE
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(file))]
    for record, (signature, inputs) in zip(records, requests, strict=True):
        log = own_prediction_log().FromString(record)
        assert log.SerializeToString() == record  # nothing that the messages do not name
        request = log.predict_log.request
        assert request.model_spec.name == "people"
        assert request.model_spec.signature_name == signature
        (entry,) = request.inputs
        np.testing.assert_array_equal(tensor_of(entry.value), inputs[entry.key])


@pytest.mark.skipif(
    importlib.util.find_spec("tensorflow_serving") is None, reason="no tensorflow-serving-api"
)
def test_messages_are_those_of_the_package_of_the_server():
    from tensorflow_serving.apis import prediction_log_pb2

    ours = prediction_log("people", "from_jpeg", {"image": IMAGE, "image_bytes": JPEGS})
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.name, request.model_spec.signature_name = "people", "from_jpeg"
    for name, array in (("image", IMAGE), ("image_bytes", JPEGS)):
        request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
    assert prediction_log_pb2.PredictionLog.FromString(ours) == log
    assert len(log.SerializeToString()) == len(ours)


def test_more_requests_than_the_server_takes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="at most 1000"):
        write_warm_up(tmp_path, "people", [("serving_default", {})] * 1001)
