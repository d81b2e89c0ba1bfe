"""The commands, each in a module of its own. What loads TensorFlow is imported when a command runs."""
