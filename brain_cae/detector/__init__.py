"""The detector: fitted on healthy brains, stored with the run, applied to one brain at a time."""
