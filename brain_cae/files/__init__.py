"""What is written and read: whole files, locks, a run's folder, a disk that refuses, what made a result."""
