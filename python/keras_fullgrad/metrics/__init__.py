"""Measures of explanations: whether maps show what a model's output depends on.

Curves and localisation take finished maps, of any method of ``keras_fullgrad.methods`` or from elsewhere;
:func:`keras_fullgrad.metrics.cascading_randomisation`, :func:`keras_fullgrad.metrics.random_logit` and
:func:`keras_fullgrad.metrics.max_sensitivity` take the method itself.
"""

from keras_fullgrad.metrics.curves import Curve
from keras_fullgrad.metrics.deletion_insertion import deletion, insertion
from keras_fullgrad.metrics.imputation import impute
from keras_fullgrad.metrics.localisation import (
    energy_pointing_game,
    pointing_game,
    relevance_rank_accuracy,
)
from keras_fullgrad.metrics.other_classes import random_logit
from keras_fullgrad.metrics.perturbation import pixel_perturbation
from keras_fullgrad.metrics.randomisation import Cascade, cascading_randomisation
from keras_fullgrad.metrics.removal import road
from keras_fullgrad.metrics.scores import Localisation, Scores
from keras_fullgrad.metrics.sensitivity import max_sensitivity

__all__ = [
    "Cascade",
    "Curve",
    "Localisation",
    "Scores",
    "cascading_randomisation",
    "deletion",
    "energy_pointing_game",
    "impute",
    "insertion",
    "max_sensitivity",
    "pixel_perturbation",
    "pointing_game",
    "random_logit",
    "relevance_rank_accuracy",
    "road",
]
