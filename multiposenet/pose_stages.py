"""The steps from an image file to a picture of its poses, each a graph of its own.

`model.predict_in_graph` runs the same steps as one graph; here they are apart, so that each can be
timed. For batches of one image.
"""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from multiposenet import canvas
from multiposenet.assignment import best_places, window_scores
from multiposenet.graph_assignment import assign_in_graph
from multiposenet.grouping import take_in_graph
from multiposenet.model import pose_head
from multiposenet.prn_inputs import draw_inputs, locate
from posekit import draw
from posekit.poses import Poses

NETWORK = "network"
FRONT = ("decode", "resize", NETWORK)
"""Do not depend on the people."""
POSES = ("NMS", "peaks", "PRN inputs", "PRN", "assignment")
"""Behind the network: what the layer "poses" does."""
BACK = ("to image", "drawing")
PAPER = (NETWORK, "peaks", "PRN", "assignment")
"""What Figure 8 of the paper counts; it leaves out loading, resizing, NMS and cropping."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """One step: a function of named values that makes further ones."""

    name: str
    function: Callable
    reads: tuple[str, ...]
    writes: tuple[str, ...]


def make_stages(model: keras.Model) -> dict[str, Stage]:
    """Cuts a joined model into its steps.

    Args:
        model: from `model.join`.

    Returns:
        FRONT, POSES and BACK in their order -> stage. They start from "file", a scalar string; the
        network writes "maps". All but "drawing" are compiled, for any number of people.
    """
    specs = {"file": tf.TensorSpec((), tf.string)}
    stages = {}
    for stage in (*_front(model), *_poses(model), *_back(model)):
        if stage.name != "drawing":
            stage = _compiled(stage, specs)
        stages[stage.name] = stage
    return stages


def whole_model(model: keras.Model) -> Callable:
    """Compiles the model from canvas to poses, with the raw outputs exchanged on their way.

    Returns:
        Function of canvases (1, H, W, 3) uint8, "maps" and a bool scalar, True to go on with these
        maps in place of the networks' own, to the outputs of the layer "poses". The networks run in
        any case: each map is chosen when both are there.
    """
    networks, head = model.get_layer("networks"), pose_head(model)

    def run(canvases, maps, is_given):
        own = networks(canvases, training=False)
        return head({name: tf.where(is_given, maps[name], own[name]) for name in maps})

    canvases = tf.TensorSpec((1, *head.settings.canvas, 3), tf.uint8)
    signature = [canvases, _specs_of(networks.output), tf.TensorSpec((), tf.bool)]
    return tf.function(run, input_signature=signature)


def _front(model: keras.Model) -> list[Stage]:
    settings, networks = pose_head(model).settings, model.get_layer("networks")

    def decode(file):
        return tf.io.decode_jpeg(file, channels=3)[None]

    def resize(images):
        return canvas.fit_to_canvas(images, settings.shorter_edge, settings.canvas)

    def network(canvases):
        return networks(canvases, training=False)

    return [
        Stage("decode", decode, ("file",), ("images",)),
        Stage("resize", resize, ("images",), ("canvases", "factors")),
        Stage(NETWORK, network, ("canvases",), ("maps",)),
    ]


def _poses(model: keras.Model) -> list[Stage]:
    """The steps of `PoseHead.call` and `grouping.group_in_graph`, which work on any batch."""
    head = pose_head(model)
    settings, size = head.settings, head.prn.input_shape[1:3]

    def suppress(maps):
        found = head.detect(maps)
        most = found["num"][0]
        return found["boxes"][:, :most], found["scores"][:, :most]

    def find_peaks(maps):
        return head.find_peaks(maps["heatmaps"])

    def draw_people(peaks, boxes):
        candidates = tf.repeat(tf.transpose(peaks, (0, 2, 1, 3)), tf.shape(boxes)[1], axis=0)
        cells, member = locate(candidates, boxes[0], size)
        return candidates, cells, member, draw_inputs(cells, member, size)

    def run_prn(inputs):
        return head.prn(inputs, training=False)["maps"]

    def assign(person_maps, cells, member, candidates, boxes, box_scores):
        scores = window_scores(person_maps, cells, member, candidates[..., 2])
        scores *= (box_scores[0] ** settings.box_weight)[:, None, None]
        chosen = assign_in_graph(scores[None], member[None], settings.rule)
        keypoints = take_in_graph(candidates[:1], chosen)
        if settings.fill:
            guess = tf.pad(best_places(person_maps, boxes[0]), [[0, 0], [0, 0], [0, 1]])
            keypoints = tf.where(chosen[..., None] < 0, guess, keypoints)
        return keypoints, tf.reduce_mean(keypoints[..., 2], axis=-1)

    people = ("candidates", "cells", "member")
    found = ("person_maps", "cells", "member", "candidates", "boxes", "box_scores")
    return [
        Stage("NMS", suppress, ("maps",), ("boxes", "box_scores")),
        Stage("peaks", find_peaks, ("maps",), ("peaks",)),
        Stage("PRN inputs", draw_people, ("peaks", "boxes"), (*people, "inputs")),
        Stage("PRN", run_prn, ("inputs",), ("person_maps",)),
        Stage("assignment", assign, found, ("keypoints", "scores")),
    ]


def _back(model: keras.Model) -> list[Stage]:
    head = pose_head(model)

    def to_image(boxes, keypoints, maps, factors, images):
        size = tf.shape(images)[1:3]
        return (
            canvas.boxes_on_images(boxes, factors, size),
            canvas.keypoints_on_images(keypoints, factors),
            canvas.mask_on_images(maps["mask"], factors, size),
        )

    def draw_picture(images, boxes, keypoints, mask, scores):
        arrays = (np.asarray(values)[0] for values in (keypoints, scores, boxes))
        picture = draw.overlay_mask(images.numpy()[0], mask.numpy()[0] > 0.5)
        return draw.draw_poses(picture, Poses(*arrays, head.skeleton))

    found = ("image_boxes", "image_keypoints", "image_mask")
    reads = ("boxes", "keypoints", "maps", "factors", "images")
    return [
        Stage("to image", to_image, reads, found),
        Stage("drawing", draw_picture, ("images", *found, "scores"), ("picture",)),
    ]


def _compiled(stage: Stage, specs: dict) -> Stage:
    """Compiles a stage for what the stages before it write; adds what it writes to `specs`."""
    signature = [specs[name] for name in stage.reads]
    function = tf.function(stage.function, input_signature=signature)
    outputs = function.get_concrete_function().structured_outputs
    outputs = (outputs,) if len(stage.writes) == 1 else outputs
    specs |= zip(stage.writes, map(_specs_of, outputs), strict=True)
    return dataclasses.replace(stage, function=function)


def _specs_of(values):
    """The same structure with the shape and type of each tensor."""
    return tf.nest.map_structure(lambda value: tf.TensorSpec(value.shape, value.dtype), values)
