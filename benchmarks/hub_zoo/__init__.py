"""Small nets with drawn weights, one for each family of image nets of keras-hub.

Each function makes a model, and with it the shape of its images, or the drawn arrays of all its inputs.
What does not end in (images, classes) gets a head: the mean over positions of all it puts out, and a
dense layer.
"""

from hub_zoo import convolutions, dense, transformers  # noqa: F401 They register their nets.
from hub_zoo.making import NETS, make

__all__ = ["NETS", "make"]
