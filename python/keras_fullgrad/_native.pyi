from collections.abc import Sequence

import numpy as np

def activate(
    x: np.ndarray,
    activation: str,
    *,
    gradients: Sequence[np.ndarray] = (),
    factors: Sequence[np.ndarray | None] = (),
    threads: int = 1,
) -> np.ndarray: ...
def read(arrays: Sequence[np.ndarray], *, threads: int = 1) -> float: ...
def saliency_map(
    gradients: Sequence[np.ndarray],
    weights: Sequence[np.ndarray],
    size: Sequence[int],
    *,
    rectifier: str = "absolute",
    rescale: str = "none",
    channels: str = "mean",
    resize: str = "half_pixel",
    layout: str = "channels_last",
    threads: int = 1,
) -> np.ndarray: ...
