"""Pre-training on hidden parts of encrypted images, a trial of the frontier."""

from __future__ import annotations

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from hii_mm.training.muon import FloatMuon


class HideHalves(Hook):
    """Before the training, let the backbone guess hidden halves of the patches of encrypted images, without labels.

    After He et al., "Masked Autoencoders Are Scalable Vision Learners", arXiv
    2111.06377. A patch without a position has no address that a network could be
    asked about, so each one keeps a half: above, below, left or right.

    Args:
        epochs: of the training images.
    """

    def __init__(self, epochs: int = 2) -> None:
        self.epochs = epochs

    def before_train(self, runner: Runner) -> None:
        """Learn to guess, with the optimiser of the training, which then begins as ever."""
        if runner.iter:  # an interrupted training goes on
            return
        model, backbone, loader = runner.model, runner.model.backbone, runner.train_loop.dataloader
        before = backbone.out_type, backbone.patch_dropout.prob
        backbone.out_type, backbone.patch_dropout.prob = 'raw', 0.0  # every token answers
        h, w = backbone.input_patch_size
        guess = nn.Linear(backbone.embed_dims, 3 * h * w).to(next(backbone.parameters()).device)
        options = {key: value for key, value in runner.cfg.optim_wrapper.optimizer.items() if key != 'type'}
        optimiser = FloatMuon([*backbone.parameters(), *guess.parameters()], **options)
        model.train()
        for epoch in range(self.epochs):
            loader.sampler.set_epoch(runner.max_epochs + epoch)
            losses = []
            for batch in loader:
                images = model.data_preprocessor(batch, training=True)['inputs']
                hidden = halves(images, h, w)
                error = (guess(backbone(images * ~hidden)[0]) - patches(images, h, w)) ** 2
                loss = error[patches(hidden.expand_as(images), h, w)].mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                losses.append(loss.item())
            print(f'frontier: guessing, epoch {epoch + 1}: {sum(losses) / len(losses):.3f}', flush=True)
        backbone.out_type, backbone.patch_dropout.prob = before


def halves(images: Tensor, h: int, w: int) -> Tensor:
    """Return what is hidden of images (B, C, H, W), bool (B, 1, H, W): a random half of each patch of h x w pixels."""
    rows, cols = images.shape[2] // h, images.shape[3] // w
    lower = (torch.arange(h) >= h // 2)[:, None].expand(h, w)
    right = (torch.arange(w) >= w // 2).expand(h, w)
    chosen = torch.stack([lower, ~lower, right, ~right])[torch.randint(4, (len(images), rows, cols))]
    return chosen.permute(0, 1, 3, 2, 4).reshape(len(images), 1, rows * h, cols * w).to(images.device)


def patches(images: Tensor, h: int, w: int) -> Tensor:
    """(B, C, H, W) -> (B, N, C h w), row-major."""
    cut = images.unfold(2, h, h).unfold(3, w, w)  # (B, C, rows, cols, h, w)
    return cut.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)
