"""Writes `shapes.json`: the terms of real nets, so that machines without TensorFlow can time them.

python benchmarks/gpu/shapes.py
"""

import json
from pathlib import Path

import keras
import tensorflow as tf

from keras_fullgrad import inspection

NETS = [("Xception", 299), ("Xception", 512), ("ResNet50", 224), ("EfficientNetB0", 224), ("VGG16", 224)]
PATH = Path(__file__).with_name("shapes.json")


def terms(name: str, side: int) -> list[list[int]]:
    """(height, width, channels) of each term; the first is the input's, whose weight has its shape."""
    model = getattr(keras.applications, name)(
        weights=None, include_top=False, pooling="avg", input_shape=(side, side, 3)
    )
    exposed = inspection.expose(model)
    traced = tf.function(exposed).get_concrete_function(tf.TensorSpec([1, side, side, 3]))
    _, *signals = traced.structured_outputs
    return [[side, side, 3], *(signal.shape[1:].as_list() for signal in signals)]


def main() -> None:
    shapes = {f"{name} {side}": terms(name, side) for name, side in NETS}
    lines = [f"{json.dumps(net)}: {json.dumps(of_net)}" for net, of_net in shapes.items()]
    PATH.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
