"""What is explained: scalars of each image, made of a model's outputs."""

from keras_fullgrad.targets.dense import Box, Region
from keras_fullgrad.targets.embeddings import Similarity
from keras_fullgrad.targets.logits import Class, Contrast
from keras_fullgrad.targets.outputs import Output, Sum
from keras_fullgrad.targets.target import Target

__all__ = ["Box", "Class", "Contrast", "Output", "Region", "Similarity", "Sum", "Target"]
