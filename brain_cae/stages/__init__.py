"""The steps of a run: each applies the configuration to the pure code of one folder."""
