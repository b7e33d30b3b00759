"""One layout on disk per file; a source says what is there and decides nothing."""
