"""Timing of runs against each other, on machines that are never quiet."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf


def interleaved(runs: Mapping[str, Callable[[], Any]], repeats: int, warm_up: int = 2) -> dict[str, float]:
    """Median seconds of each run; the runs take turns, so that all meet the same machine."""
    for run in list(runs.values()) * warm_up:
        run()
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def plain_gradient(model: keras.Model) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """What every map is compared with: the input gradient of a logit and nothing else, to be traced."""

    def plain(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            target = tf.gather(model(x, training=False), y, axis=-1, batch_dims=1)
        return tape.gradient(target, x)

    return plain
