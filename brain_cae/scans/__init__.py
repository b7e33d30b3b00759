"""What lies on disk, until it is a volume: sources, the index, acquisition parameters, DICOM, the import store."""
