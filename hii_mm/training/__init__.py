"""Run configs, checks before a run, and process groups for training with mm."""
