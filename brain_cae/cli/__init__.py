"""The two commands, their error messages, and sweeps."""
