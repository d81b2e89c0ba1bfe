"""Divides batches among the replicas of a `tf.distribute` strategy, one for each device."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

Step = Callable[..., tuple[Any, ...]]


def divided(step: Step, batched: int, strategy: tf.distribute.Strategy) -> Step:
    """Makes a step whose replicas each compute some images of a batch.

    Args:
        step: From tensors to logits, maps and what else a method returns, each with an axis of images first.
        batched: How many of the tensors, the first ones, have an axis of images; replicas get rows of these,
            and the others whole.
        strategy: The strategy. Its replicas must be of one process.

    Returns:
        A step of the same signature, to be traced outside of replicas. Images keep their order, whatever
        their number.

    Example:
        >>> strategy = tf.distribute.MirroredStrategy(["CPU:0"])
        >>> divided(lambda x: (2 * x,), 1, strategy)(tf.constant([1, 2, 3]))[0].numpy().tolist()
        [2, 4, 6]
    """
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return step

    def compute(*tensors: tf.Tensor) -> tuple[Any, ...]:
        context = tf.distribute.get_replica_context()
        # On the host, where the batch lies: a device gets its own rows only.
        with tf.device("CPU:0"):
            images = tf.shape(tensors[0])[0]
            replica = context.replica_id_in_sync_group
            start, stop = (images * each // replicas for each in (replica, replica + 1))
            # A replica without a row computes one all the same, and what it finds is left out.
            mine = [tensor[start : tf.maximum(stop, start + 1)] for tensor in tensors[:batched]]
        results = step(*mine, *tensors[batched:])
        return tf.nest.map_structure(lambda part: part[: stop - start], results)

    def compute_on_all(*tensors: tf.Tensor) -> tuple[Any, ...]:
        results = strategy.run(compute, args=tensors)
        return tf.nest.map_structure(
            lambda parts: tf.concat(strategy.experimental_local_results(parts), axis=0), results
        )

    return compute_on_all
