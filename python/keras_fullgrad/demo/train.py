"""Makes the shipped network and scenes: ``python -m keras_fullgrad.demo.train``.

Needs scikit-learn, for its digits, and the oldest Keras that is supported: all later ones read its files.
"""

import keras
import tensorflow as tf

from keras_fullgrad.demo.scenes import SIZE, make_scenes, split_digits
from keras_fullgrad.demo.show import NET, SCENES

OLDEST_KERAS = "3.7"
SEED = 7
EPOCHS = 5
BATCH = 32
TRAINING_SCENES = 6000
SPARSITY = 1e-5
HELD_OUT_SCENES = 1000
SHIPPED_SCENES = 16
SHIPPED_SEED = 18  # The lowest whose first eight scenes, those drawn, are of eight classes.


def build() -> keras.Model:
    """Builds the network: convolutions with biases, all but the first with batch norms too."""
    inputs = keras.Input([SIZE, SIZE, 1])
    x = keras.layers.Conv2D(16, 5, strides=2, padding="same", activation="relu")(inputs)
    for filters in (32, 48, 48, 64):
        x = keras.layers.Conv2D(filters, 3, padding="same")(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU()(x)
        if filters == 32:
            x = keras.layers.MaxPooling2D()(x)
    # An answer must come from few places, and so from the digit.
    x = keras.layers.ActivityRegularization(l1=SPARSITY)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x), name="digit_finder")


def train(epochs: int = EPOCHS, scenes: int = TRAINING_SCENES, seed: int = SEED) -> None:
    """Trains the network, prints its accuracy on held-out digits, and writes the shipped files.

    Args:
        epochs: How often the training scenes are gone through.
        scenes: How many of them there are.
        seed: The seed of digits, scenes and weights.

    Raises:
        RuntimeError: If a newer Keras runs, whose files an older one may refuse.
    """
    if not keras.__version__.startswith(f"{OLDEST_KERAS}."):
        raise RuntimeError(
            f"expected Keras {OLDEST_KERAS}, whose files all later ones read, got {keras.__version__}"
        )
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    digits, held_out_digits = split_digits(seed)
    training = make_scenes(digits, scenes, seed=seed + 1)
    held_out = make_scenes(held_out_digits, HELD_OUT_SCENES, seed=seed + 2)

    model = build()
    steps = epochs * -(-scenes // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=1e-3),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(training.images, training.classes, batch_size=BATCH, epochs=epochs, verbose=2)
    _, accuracy = model.evaluate(held_out.images, held_out.classes, verbose=0)
    print(f"accuracy on {HELD_OUT_SCENES} scenes of held-out digits: {accuracy:.1%}")

    # A model of the same layers that was never compiled has no optimizer to save.
    keras.Model(model.inputs, model.outputs, name=model.name).save(NET)
    make_scenes(held_out_digits, SHIPPED_SCENES, SHIPPED_SEED).save(SCENES)
    print(f"wrote {NET} ({NET.stat().st_size / 1000:.0f} kB) and {SCENES}")


if __name__ == "__main__":
    train()
