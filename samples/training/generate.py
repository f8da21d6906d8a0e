"""Greedy generation with full attention for many prompts at once, and the judgement of answers."""

import re

import torch
import torch.nn.functional as F

from model import Decoder, rope

END = 1


def numbers(text: str) -> list[str]:
    """As parseAnswer of src/tasks: the numbers up to the first full stop or line break."""
    return re.findall("[0-9]+", re.split(r"[.\n]", text)[0])


@torch.no_grad()
def generate(model: Decoder, prompts: list[list[int]], most: int) -> list[list[int]]:
    """Up to `most` tokens after each prompt (begin to end mark), in 32-bit arithmetic, with a key-value cache."""
    device = model.embedding.device
    theta = model.shape.rope_theta
    lengths = torch.tensor([len(prompt) for prompt in prompts], device=device)
    size = int(lengths.max()) + most
    ids = torch.zeros(len(prompts), int(lengths.max()), dtype=torch.long)
    for row, prompt in zip(ids, prompts):
        row[: len(prompt)] = torch.tensor(prompt)
    layers = model.layers(torch.float32)
    rows = torch.arange(len(prompts), device=device)

    cache = []
    x = model.embedding[ids.to(device)]
    positions = torch.arange(x.shape[1], device=device)
    for layer in layers:
        q, k, v = model.project(layer, x)
        k = rope(k, positions, theta)
        attended = F.scaled_dot_product_attention(rope(q, positions, theta), k, v, is_causal=True, enable_gqa=True)
        x = model.finish(layer, x, attended)
        cache.append([F.pad(part, (0, 0, 0, size - part.shape[2])) for part in (k, v)])
    token = model.logits(x[rows, lengths - 1]).argmax(-1)

    made = [token]
    ended = token == END
    for offset in range(most - 1):
        if ended.all():
            break
        position = lengths + offset
        visible = (torch.arange(size, device=device) <= position[:, None])[:, None, None]
        x = model.embedding[token][:, None]
        for layer, (keys, values) in zip(layers, cache):
            q, k, v = model.project(layer, x)
            keys[rows, :, position] = rope(k, position[:, None, None], theta)[:, :, 0]
            values[rows, :, position] = v[:, :, 0]
            q = rope(q, position[:, None, None], theta)
            x = model.finish(layer, x, F.scaled_dot_product_attention(q, keys, values, attn_mask=visible, enable_gqa=True))
        token = model.logits(x[:, 0]).argmax(-1)
        made.append(token)
        ended |= token == END
    out = torch.stack(made, 1).tolist()
    return [answer[: answer.index(END)] if END in answer else answer for answer in out]
