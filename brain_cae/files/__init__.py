"""Files: atomic writing, locks, run folders, errors of the file system, and provenance of results."""
