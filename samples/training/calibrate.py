"""Makes keyhole-calibration.safetensors: what ESA's compressed scores need of the bundled model.

    python calibrate.py --model DIR --books BOOKS --tasks stream-tasks.mjs --report calibration.json

From 49 rows of 1,024 tokens (24 tasks, 25 pieces of prose, all of the training part) under full attention, per layer l:
  query_second_moment.{l}, key_second_moment.{l}  [G d, G d] F32: E[x xᵀ] of the un-rotated queries, summed over the heads
      of each key-value group, and of the un-rotated keys; groups one after the other
  learned.{w}.{d'}.query_weight.{l} [d', G d], .query_bias.{l} [d'], .key_weight.{l}, .key_bias.{l}  F16: Eq. 7 of the paper
      by gradient descent, for queries rotated by w and un-rotated keys
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from data import TaskRows, encode_books
from model import Decoder, load_model, rope

ROTATIONS = [128, 384]
DIMENSIONS = [32, 16, 8, 4]
TASK_ROWS, PROSE_ROWS = 24, 25
SEED = 77
BATCH, EPOCHS, RATE = 128, 10, 5e-4


def calibration_rows(books: Path, tokenizer: Path, tasks: Path, processes: int) -> torch.Tensor:
    """ids [49, 1024]"""
    stream = TaskRows(tasks, books, tokenizer, 1024, SEED, 1)
    task_rows = stream.next()[0][:TASK_ROWS, :1024]
    stream.close()
    prose, _ = encode_books(books / "train", tokenizer, processes)
    starts = np.random.default_rng(SEED).integers(0, len(prose) - 1024, PROSE_ROWS)
    prose_rows = np.stack([prose[start : start + 1024] for start in starts])
    prose_rows[:, 0] = 0
    return torch.from_numpy(np.concatenate([task_rows, prose_rows]).astype(np.int64))


@torch.no_grad()
def folded_vectors(model: Decoder, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Un-rotated queries summed over each group's heads, and keys: [layers, tokens, G, d] each."""
    shape = model.shape
    queries, keys = [], []
    for ids in rows.to(model.embedding.device).split(7):
        x = model.embedding[ids]
        positions = torch.arange(ids.shape[1], device=x.device)
        q_layers, k_layers = [], []
        for layer in model.layers(torch.float32):
            q, k, v = model.project(layer, x)
            q_layers.append(q.unflatten(1, (shape.key_value_heads, -1)).sum(2).transpose(1, 2).flatten(0, 1))
            k_layers.append(k.transpose(1, 2).flatten(0, 1))
            rotated = rope(q, positions, shape.rope_theta), rope(k, positions, shape.rope_theta)
            x = model.finish(layer, x, F.scaled_dot_product_attention(*rotated, v, is_causal=True, enable_gqa=True))
        queries.append(torch.stack(q_layers))
        keys.append(torch.stack(k_layers))
    return torch.cat(queries, 1), torch.cat(keys, 1)


def rotated(vectors: torch.Tensor, position: int, theta: float) -> torch.Tensor:
    """vectors [layers, tokens, G, d], all rotated by the same position, as [layers, tokens, G d]."""
    return rope(vectors, torch.full(vectors.shape[2:3], position, device=vectors.device), theta).flatten(2)


def second_moment(vectors: torch.Tensor) -> torch.Tensor:
    """[layers, n, n] of vectors [layers, tokens, n]."""
    return vectors.double().mT @ vectors.double() / vectors.shape[1]


def power(moment: torch.Tensor, exponent: float) -> torch.Tensor:
    values, vectors = torch.linalg.eigh(moment)
    kept = values > values.amax(-1, keepdim=True) * 1e-6
    return (vectors * torch.where(kept, values.clamp(min=1e-30) ** exponent, 0)[..., None, :]) @ vectors.mT


def closed_form(query_moment: torch.Tensor, key_moment: torch.Tensor, dimension: int):
    """The best maps without bias, [layers, d', n] each, and the share of the squared scores they miss, [layers]."""
    u, s, vh = torch.linalg.svd(power(query_moment, 0.5) @ power(key_moment, 0.5))
    root = s[:, :dimension, None].sqrt()
    query_map = root * (u.mT[:, :dimension] @ power(query_moment, -0.5))
    key_map = root * (vh[:, :dimension] @ power(key_moment, -0.5))
    return query_map.float(), key_map.float(), (s[:, dimension:] ** 2).sum(-1) / (s**2).sum(-1)


def learn(queries: torch.Tensor, keys: torch.Tensor, dimension: int) -> dict[str, torch.Tensor]:
    """Eq. 7 by Adam for all layers at once; queries, keys [layers, tokens, n]; each batch gives all 128 x 128 pairs.

    The weights start uniform in ±1/√n and the biases at 0. Vectors are scaled to a mean square of 1 a channel while
    learning, and the scales put back afterwards, so that one learning rate suits every layer.
    """
    layers, tokens, width = queries.shape
    scales = [x.square().mean((1, 2), keepdim=True).sqrt() for x in (queries, keys)]
    queries, keys = queries / scales[0], keys / scales[1]
    generator = torch.Generator().manual_seed(SEED + dimension)
    draw = lambda: (torch.rand(layers, dimension, width, generator=generator) * 2 - 1) / math.sqrt(width)  # noqa: E731
    parameters = [draw(), torch.zeros(layers, 1, dimension), draw(), torch.zeros(layers, 1, dimension)]
    parameters = [p.to(queries.device).requires_grad_() for p in parameters]
    optimizer = torch.optim.Adam(parameters, lr=RATE)
    for _ in range(EPOCHS):
        order_q, order_k = (torch.randperm(tokens, generator=generator).to(queries.device) for _ in range(2))
        for start in range(0, tokens, BATCH):
            q, k = queries[:, order_q[start : start + BATCH]], keys[:, order_k[start : start + BATCH]]
            query_weight, query_bias, key_weight, key_bias = parameters
            short = (q @ query_weight.mT + query_bias) @ (k @ key_weight.mT + key_bias).mT
            loss = (q @ k.mT - short).square().mean((1, 2)).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    query_weight, query_bias, key_weight, key_bias = (p.detach() for p in parameters)
    # The scales multiply both sides of the loss alike, so the weights hold for raw vectors; the biases grow with them.
    return {
        "query_weight": query_weight,
        "query_bias": query_bias[:, 0] * scales[0][:, 0],
        "key_weight": key_weight,
        "key_bias": key_bias[:, 0] * scales[1][:, 0],
    }


def missed(queries: torch.Tensor, keys: torch.Tensor, maps: dict[str, torch.Tensor]) -> torch.Tensor:
    """Share of the squared scores that the maps miss, over all pairs of 4,096 queries and keys, [layers]."""
    step = max(1, queries.shape[1] // 4096)
    q, k = queries[:, ::step], keys[:, ::step]
    exact = q @ k.mT
    short_q = q @ maps["query_weight"].mT + maps["query_bias"][:, None]
    short_k = k @ maps["key_weight"].mT + maps["key_bias"][:, None]
    return (exact - short_q @ short_k.mT).square().sum((1, 2)) / exact.square().sum((1, 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--books", type=Path, required=True)
    parser.add_argument("--tasks", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()

    model = load_model(arguments.model, arguments.device)
    theta = model.shape.rope_theta
    rows = calibration_rows(arguments.books, arguments.model / "tokenizer.json", arguments.tasks, arguments.processes)
    queries, keys = folded_vectors(model, rows)
    flat_keys = keys.flatten(2)
    query_moment, key_moment = second_moment(queries.flatten(2)), second_moment(flat_keys)
    tensors = {}
    for layer in range(model.shape.layers):
        tensors[f"query_second_moment.{layer}"] = query_moment[layer].float()
        tensors[f"key_second_moment.{layer}"] = key_moment[layer].float()

    report = []
    for w in ROTATIONS:
        turned = rotated(queries, w, theta)
        for dimension in DIMENSIONS:
            *_, closed_error = closed_form(second_moment(turned), key_moment, dimension)
            maps = {name: value.half().float() for name, value in learn(turned, flat_keys, dimension).items()}
            learned_error = missed(turned, flat_keys, maps)
            for name, value in maps.items():
                for layer in range(model.shape.layers):
                    tensors[f"learned.{w}.{dimension}.{name}.{layer}"] = value[layer].half()
            entry = {"rotation": w, "dimension": dimension}
            entry["closedForm"] = [round(value, 5) for value in closed_error.tolist()]
            entry["learned"] = [round(value, 5) for value in learned_error.tolist()]
            report.append(entry)
            print(w, dimension, f"closed {closed_error.mean():.4f}  learned {learned_error.mean():.4f}", flush=True)

    metadata = {
        "format": "keyhole-calibration-1",
        "model": "bundled model of Keyhole",
        "data": f"{TASK_ROWS} rows of tasks and {PROSE_ROWS} of prose, 1,024 tokens each, training part, full attention",
        "seed": str(SEED),
        "learned": f"Adam, rate {RATE}, {EPOCHS} epochs, batch {BATCH} with all pairs",
    }
    contiguous = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    save_file(contiguous, arguments.model / "keyhole-calibration.safetensors", metadata=metadata)
    arguments.report.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
