"""The jobs that a user starts, each readable from top to bottom; only these modules write the files of a run."""
