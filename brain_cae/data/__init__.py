"""Input of the network: roles of the subjects, prepared volumes, batches."""
