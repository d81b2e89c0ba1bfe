"""Pictures that a notebook shows."""

import io
from typing import Any

import numpy as np


class Picture(np.ndarray):
    """An array, (height, width, 3), uint8, that a notebook shows as what it is.

    Example:
        >>> np.zeros([4, 6, 3], np.uint8).view(Picture)._repr_png_()[1:4]
        b'PNG'
    """

    def _repr_png_(self) -> bytes | None:
        """The picture; nothing for a part or a product of one, which is an array like others."""
        if self.dtype != np.uint8 or self.ndim != 3 or self.shape[-1] != 3 or not self.size:
            return None
        from PIL import Image

        buffer = io.BytesIO()
        Image.fromarray(np.asarray(self)).save(buffer, format="png")
        return buffer.getvalue()


def as_picture(array: Any) -> Picture:
    """Lets a notebook show an array as a picture.

    Args:
        array: (height, width, 3), of levels from 0 to 255.

    Returns:
        The same, as uint8.

    Example:
        >>> type(as_picture(np.zeros([4, 6, 3]))).__name__
        'Picture'
    """
    return np.asarray(array).astype(np.uint8).view(Picture)
