"""Run configs, checks before a run, and process groups for training with mm."""

from .checkpoints import scheme_of_checkpoint

__all__ = ['scheme_of_checkpoint']
