"""From residuals to maps, scores, p-values and thresholds, all fitted on healthy brains only."""
