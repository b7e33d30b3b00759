"""What the network sees: roles, prepared volumes, batches."""
