from collections.abc import Sequence
from typing import Any

def activate(x: Any, activation: str, out: Any, *, gradient: Any | None = None, stream: int = 0) -> None: ...
def workspace(
    gradients: Sequence[Any],
    weights: Sequence[Any],
    size: Sequence[int],
    *,
    rectifier: str = "absolute",
    rescale: str = "none",
    channels: str = "mean",
    resize: str = "half_pixel",
    layout: str = "channels_last",
) -> int: ...
def saliency_map(
    gradients: Sequence[Any],
    weights: Sequence[Any],
    size: Sequence[int],
    maps: Any,
    workspace: int,
    workspace_size: int,
    *,
    stream: int = 0,
    rectifier: str = "absolute",
    rescale: str = "none",
    channels: str = "mean",
    resize: str = "half_pixel",
    layout: str = "channels_last",
) -> None: ...
