"""Learn healthy brains with a 3D autoencoder, find gliomas, and audit whether the answer can be believed."""

__version__ = "0.1.0"
