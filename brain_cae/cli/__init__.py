"""The two commands, what they say when something is wrong, and sweeps."""
