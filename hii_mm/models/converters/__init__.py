"""Convert the weights of released checkpoints for our models."""

from .checkpoint import Converted, read_checkpoint, write_checkpoint
from .classifiers import convert_vit
from .detectors import convert_yolos

__all__ = ['Converted', 'convert_vit', 'convert_yolos', 'read_checkpoint', 'write_checkpoint']
