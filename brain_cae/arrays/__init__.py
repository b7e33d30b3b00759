"""What several folders do with arrays: boxes of masks, linear maps along axes."""
