"""Measures of explanations: whether maps show what a model's output depends on.

Curves and energies take finished maps, of any method of ``keras_fullgrad.methods`` or from elsewhere;
:func:`keras_fullgrad.metrics.cascading_randomisation` takes the method itself.
"""

from keras_fullgrad.metrics.curves import Curve
from keras_fullgrad.metrics.deletion_insertion import deletion, insertion
from keras_fullgrad.metrics.localisation import Energy, energy_pointing_game
from keras_fullgrad.metrics.perturbation import pixel_perturbation
from keras_fullgrad.metrics.randomisation import Cascade, cascading_randomisation

__all__ = [
    "Cascade",
    "Curve",
    "Energy",
    "cascading_randomisation",
    "deletion",
    "energy_pointing_game",
    "insertion",
    "pixel_perturbation",
]
