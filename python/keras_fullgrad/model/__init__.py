"""A Keras model seen from within: what it is, its layers and their biases, and the signals between them."""
