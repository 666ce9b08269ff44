"""The modules of the network; imported where torch is installed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH, DEPTH, HEADS, WIDER = 128, 3, 4, 384
HIDDEN = 32  # channels of the pair network
LEAST = -16.0  # a pair's log-probability counts no worse than this for attention
LOWEST = -30.0  # measures of impossible pairs
AT_ONCE = 400_000  # pairs that are scored at once


def _convolution(before: int, after: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 3, stride, padding=1), nn.GroupNorm(4, after), nn.GELU()]


class Looks(nn.Module):
    """(N, 3, h, w) -> (N, WIDTH), from what convolutions see and from the pixels themselves."""

    def __init__(self, h: int, w: int) -> None:
        super().__init__()
        layers = [*_convolution(3, 32, 1), *_convolution(32, 48, 2), *_convolution(48, 64, 2)]
        self.look = nn.Sequential(*layers, nn.Flatten())
        self.embed = nn.Linear(64 * ((h + 3) // 4) * ((w + 3) // 4) + 3 * h * w, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Embed pieces."""
        found: Tensor = self.embed(torch.cat([self.look(x), x.flatten(1)], dim=1))
        return found


class Block(nn.Module):
    """A transformer layer: (S, N, WIDTH), bias (S, HEADS, N, N) -> (S, N, WIDTH)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.ask, self.merge = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.think = nn.Sequential(nn.Linear(WIDTH, WIDER), nn.GELU(), nn.Linear(WIDER, WIDTH))

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Let the pieces see each other."""
        q, k, v = self.ask(self.first(x)).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype))
        x = x + self.merge(seen.transpose(1, 2).flatten(2))
        found: Tensor = x + self.think(self.second(x))
        return found


class Pairs(nn.Module):
    """Score pairs by their measures and what is known of both pieces."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.pair = nn.Linear(count, HIDDEN)
        self.ends = nn.ModuleList([nn.Linear(WIDTH + 2 * count, HIDDEN) for _ in range(2)])
        self.deeper, self.last = nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, 1)
        nn.init.zeros_(self.last.weight)

    def forward(self, measures: Tensor, known: Tensor) -> Tensor:
        """(K, N, N), (N, WIDTH + 2 K) -> (N, N); by rows where no gradient is asked for."""
        first, second = (end(known).T for end in self.ends)
        step = len(known) if torch.is_grad_enabled() else max(1, AT_ONCE // len(known))
        parts = zip(measures.split(step, 1), first.split(step, 1))
        return torch.cat([self._rows(part, ends, second) for part, ends in parts])

    def _rows(self, measures: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """(K, n, N), (HIDDEN, n), (HIDDEN, N) -> (n, N)."""
        x = torch.einsum('hk,kij->hij', self.pair.weight, measures) + self.pair.bias[:, None, None]
        x = functional.gelu(x + first[..., None] + second[:, None])
        x = torch.einsum('hk,kij->hij', self.deeper.weight, x) + self.deeper.bias[:, None, None]
        return torch.einsum('h,hij->ij', self.last.weight[0], functional.gelu(x)) + self.last.bias


class Network(nn.Module):
    """The whole, see :func:`.network.network`."""

    def __init__(self, core: tuple[int, int], count: int) -> None:
        super().__init__()
        h, w = core
        self.looks = nn.ModuleList([Looks(h, w)] if h == w else [Looks(h, w), Looks(w, h)])
        self.bests = nn.Linear(4 * count, WIDTH)
        self.blocks = nn.ModuleList([Block() for _ in range(DEPTH)])
        # what each head is drawn to, at first: pieces to the right, left, below and above
        self.sides = nn.Parameter(0.5 * torch.eye(4).repeat(DEPTH, HEADS // 4, 1))
        self.norm = nn.LayerNorm(WIDTH)
        self.left, self.right = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.known = nn.Parameter(torch.zeros(2, count))  # weights of the measures, and relative to the bests
        self.pairs = Pairs(count)
        nn.init.normal_(self.left.weight, std=0.02)

    def forward(self, streams: Sequence[Tensor], measures: Tensor, banned: Tensor) -> list[Tensor]:
        """Score all pairs, see :func:`.network.network`."""
        hidden, count = measures.masked_fill(banned, LOWEST), len(streams)
        rows, columns = hidden.amax(3).transpose(1, 2), hidden.amax(2).transpose(1, 2)  # (2, N, K)
        known = self._known(measures, rows, columns, banned)
        x = torch.stack([self.looks[i % len(self.looks)](part) for i, part in enumerate(streams)])
        x = x + self.bests(torch.cat([rows, rows.flip(0), columns, columns.flip(0)], 2)[:count])
        beside = _beside(known.detach())[:count]
        for block, sides in zip(self.blocks, self.sides):
            x = block(x, torch.einsum('hf,sfij->shij', sides, beside))
        x = self.norm(x)
        product = self.left(x) @ self.right(x).transpose(1, 2) * WIDTH**-0.5
        ends = torch.cat([x, rows[:count], columns[:count]], 2)
        return [known[i] + product[i].float() + self.pairs(measures[i], ends[i]).float() for i in range(count)]

    def _known(self, measures: Tensor, rows: Tensor, columns: Tensor, banned: Tensor) -> Tensor:
        """Return the weighted sums of the measures, float32 (2, N, N)."""
        plain, relative = self.known
        total = torch.einsum('k,skij->sij', plain + 2 * relative, measures).float()
        total = total - (rows @ relative)[:, :, None] - (columns @ relative)[:, None]
        return total.masked_fill(banned, -1e4)


def _beside(known: Tensor) -> Tensor:
    """Return how likely pairs are neighbours to the right, left, below and above: (2, N, N) -> (2, 4, N, N)."""
    likely = (known.log_softmax(2) + known.log_softmax(1)).clamp(min=LEAST) - LEAST
    sides = torch.stack([likely, likely.transpose(1, 2)], 1)
    return torch.cat([sides, sides.flip(0)], 1)
