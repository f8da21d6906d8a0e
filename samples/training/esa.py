"""ESA (arXiv 2502.14477) in PyTorch, to check the trained model: chunked prefill, then one token at a time.

The measurements that count are made by the program's own engine; this one is independent of it.
"""

from dataclasses import dataclass

import torch

from model import Decoder, rope

END = 1


@dataclass(frozen=True)
class Settings:
    initial: int = 16
    local: int = 384
    chunk: int = 256
    selected: int = 256
    proximity: int = 3
    global_position: int = 384


def select(scores: torch.Tensor, settings: Settings) -> torch.Tensor:
    """Middle tokens to keep, ascending, by scores [queries, middle]: Eq. 4, dilation, top-k (ties: dilated, plain, index)."""
    plain = (scores - scores.max(1, keepdim=True).values).max(0).values
    width = 2 * settings.proximity + 1
    dilated = torch.nn.functional.max_pool1d(plain[None, None], width, 1, settings.proximity)[0, 0]
    order = plain.sort(descending=True, stable=True).indices
    order = order[dilated[order].sort(descending=True, stable=True).indices]
    return order[: settings.selected].sort().values


class EsaRun:
    """One sequence. `projections[l]` is (query map, key map), each [d', G d], or None for exact scores."""

    def __init__(self, model: Decoder, settings: Settings, projections=None):
        self.model, self.settings, self.projections = model, settings, projections
        self.weights = model.layers(torch.float32)
        shape = model.shape
        empty = torch.zeros(shape.key_value_heads, 0, shape.head_width, device=model.embedding.device)
        self.keys = [empty] * shape.layers
        self.values = [empty] * shape.layers

    @torch.no_grad()
    def block(self, ids: torch.Tensor) -> torch.Tensor:
        """Runs the next tokens as one block; the last one's logits."""
        x = self.model.embedding[ids]
        for number, layer in enumerate(self.weights):
            q, k, v = self.model.project(layer, x)
            x = self.model.finish(layer, x, self._attend(number, q, k, v))
        return self.model.logits(x[-1])

    def _attend(self, number: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        settings, theta = self.settings, self.model.shape.rope_theta
        before, count = self.keys[number].shape[1], q.shape[1]
        keys = self.keys[number] = torch.cat([self.keys[number], k], 1)
        values = self.values[number] = torch.cat([self.values[number], v], 1)
        local = min(before, settings.local)
        initial = min(settings.initial, before - local)
        groups, head_width = k.shape[0], k.shape[2]
        grouped = lambda heads: heads.reshape(groups, -1, *heads.shape[1:])  # noqa: E731  [G, H/G, tokens, d]

        positions = torch.arange(local + count, device=q.device)
        near = rope(keys[:, before - local :], positions, theta)
        logits = grouped(rope(q, positions[local:], theta)) @ near[:, None].mT
        logits = logits.masked_fill(~torch.ones(count, local + count, dtype=torch.bool, device=q.device).tril(local), -torch.inf)
        seen = values[:, before - local :]

        rotated = grouped(rope(q, torch.full((count,), settings.global_position, device=q.device), theta))
        kept = torch.arange(initial, device=q.device)
        middle = before - local - initial
        if middle > 0:
            chosen = torch.arange(middle, device=q.device)
            if middle > settings.selected:
                folded = rotated.sum(1).transpose(0, 1).flatten(1)
                candidates = keys[:, initial : initial + middle].transpose(0, 1).flatten(1)
                if self.projections:
                    folded = folded @ self.projections[number][0].T
                    candidates = candidates @ self.projections[number][1].T
                chosen = select(folded @ candidates.T, settings)
            kept = torch.cat([kept, chosen + initial])
        if len(kept):
            logits = torch.cat([rotated @ keys[:, kept][:, None].mT, logits], -1)
            seen = torch.cat([values[:, kept], seen], 1)
        weights = torch.softmax(logits / head_width**0.5, -1)
        return (weights @ seen[:, None]).flatten(0, 1)


def answer(run: EsaRun, prompt: list[int], most: int) -> list[int]:
    """Prefills the prompt in chunks from token 0 and generates greedily up to the end mark."""
    device = run.model.embedding.device
    ids = torch.tensor(prompt, device=device)
    for piece in ids.split(run.settings.chunk):
        logits = run.block(piece)
    made: list[int] = []
    while len(made) < most:
        token = logits.argmax()
        if token.item() == END:
            break
        made.append(token.item())
        logits = run.block(token[None])
    return made
