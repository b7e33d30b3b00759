"""Sources, one layout on disk per file; a source lists the scans and makes no decisions."""
