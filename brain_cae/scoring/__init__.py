"""From residuals to maps, scores, p-values and thresholds, all learnt from healthy brains alone."""
