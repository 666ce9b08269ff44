"""Turn results into figures, words, plots and pages."""
