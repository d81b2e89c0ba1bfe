"""The native library: where it lies, whether it runs here, and its ops as Python calls them."""
