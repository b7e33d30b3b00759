"""Outputs for the reader: the report, its figures, the TensorBoard panel and the summary of a sweep."""
