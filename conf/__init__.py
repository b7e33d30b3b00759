"""The configuration, packaged as ``brain_cae.conf``."""
