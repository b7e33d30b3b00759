"""The words that tables and configurations may hold, each list once."""

MODALITIES = ("t1", "t2", "flair", "t1ce")

CLASSES = ("healthy", "abnormal")
LABELS = (*CLASSES, "unknown")

ROLES = ("train", "validation", "classifier", "test")
HEALTHY_ROLES = ROLES[:2]
"""What the network is fitted on and calibrated with: healthy brains alone."""
UNSEEN_ROLES = ROLES[2:]
"""What neither has seen: healthy and abnormal brains."""

SKULL_STATES = ("on", "stripped", "unknown")

PLANES = ("sagittal", "coronal", "axial")
"""In the order of the axes (R, A, S) that are their normals."""
