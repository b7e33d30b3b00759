"""From files on disk to volumes: sources, DICOM and NIfTI readers, acquisition parameters, index, import store."""
