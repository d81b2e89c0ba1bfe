"""``python -m keras_fullgrad_cli``."""

from keras_fullgrad_cli import app

app(prog_name="keras-fullgrad")
