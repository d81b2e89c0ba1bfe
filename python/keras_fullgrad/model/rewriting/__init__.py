"""The same answers with fewer passes over memory: a rule a file, and what applies them in a call of a model.

The user's model stays as it is. A rule applies in a traced function, which leaves out what nothing depends
on, to layers and activations that are Keras's own: what another's code makes of its weights is not known.
"""

from keras_fullgrad.model.rewriting.rewriting import Rewriting

__all__ = ["Rewriting"]
