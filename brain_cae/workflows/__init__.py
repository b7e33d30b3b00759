"""The jobs that a person starts, each read from top to bottom; they alone write a run's files."""
