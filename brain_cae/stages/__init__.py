"""The arrows of the drawing: where configuration meets the pure folder of that name."""
