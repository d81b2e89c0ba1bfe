"""A demonstration: maps of a small network that names a digit somewhere in a cluttered scene.

The network and its scenes are shipped, so that nothing is downloaded or trained;
``python -m keras_fullgrad.demo.train`` makes both anew.
"""

from keras_fullgrad.demo.scenes import Scenes
from keras_fullgrad.demo.show import Demonstration, demonstrate, draw

__all__ = ["Demonstration", "Scenes", "demonstrate", "draw"]
