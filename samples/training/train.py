"""Trains the bundled model. Resumes from OUT/checkpoint.pt if that is there.

    python train.py --books BOOKS --tokenizer tokenizer.json --tasks stream-tasks.mjs --out OUT --seconds 600

The schedule follows the clock (seconds spent in the training loop), not a number of steps: what is given is a stretch of
time on a GPU. First fifth at 256 tokens, where retrieval forms quickly, then at 1,024.
"""

import argparse
import csv
import math
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from data import ANSWER, IGNORED, TaskRows, encode_books
from model import Decoder, Shape, save_model
from muon import Muon

TOKENS_PER_STEP = 65536
SHORT, LONG = 256, 1024
SHORT_SHARE = 0.2  # of the time
TASK_SHARE = 0.6  # of the rows; the others are prose
WARM_UP_STEPS = 300
DECAY_FROM = 0.55  # of the time; from there the rate falls linearly
SAVE_EVERY_SECONDS = 60


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--books", type=Path, required=True, help="folder with train/ and valid/")
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--tasks", type=Path, required=True, help="stream-tasks.mjs, bundled")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--optimizer", choices=["muon", "adamw"], default="muon")
    parser.add_argument("--matrix-rate", type=float, default=0.01, help="learning rate of the weight matrices")
    parser.add_argument("--rate", type=float, default=3e-3, help="learning rate of everything else")
    parser.add_argument("--answer-weight", type=float, default=10.0)
    parser.add_argument("--processes", type=int, default=12, help="Node processes that make tasks")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tokens-per-step", type=int, default=TOKENS_PER_STEP)
    return parser.parse_args()


def optimizers(model: Decoder, arguments: argparse.Namespace) -> list[torch.optim.Optimizer]:
    matrices = [p for p in model.parameters() if p.ndim == 3]
    gains = [p for name, p in model.named_parameters() if "norm" in name]
    adam = [{"params": [model.embedding], "weight_decay": 0.1}, {"params": gains, "weight_decay": 0.0}]
    fused = arguments.device == "cuda"
    if arguments.optimizer == "adamw":
        adam[0]["params"].extend(matrices)
        return [torch.optim.AdamW(adam, lr=arguments.rate, betas=(0.9, 0.95), fused=fused)]
    return [
        Muon(matrices, lr=arguments.matrix_rate),
        torch.optim.AdamW(adam, lr=arguments.rate, betas=(0.9, 0.95), fused=fused),
    ]


def rate_factor(step: int, progress: float) -> float:
    decay = 1.0 if progress < DECAY_FROM else max(0.01, (1 - progress) / (1 - DECAY_FROM))
    return min(1.0, (step + 1) / WARM_UP_STEPS) * decay


class Batches:
    """Rows of tasks and of prose, on the device."""

    def __init__(self, length: int, prose: torch.Tensor, arguments: argparse.Namespace, seed: int):
        self.rows = max(2, arguments.tokens_per_step // length)
        self.task_rows = round(self.rows * TASK_SHARE)
        self.device, self.prose, self.length = arguments.device, prose, length
        self.stream = TaskRows(arguments.tasks, arguments.books, arguments.tokenizer, length, seed, arguments.processes)
        self.generator = torch.Generator(arguments.device).manual_seed(seed)
        self.offsets = torch.arange(length + 1, device=arguments.device)
        self.left: tuple[torch.Tensor, torch.Tensor] | None = None

    def next(self) -> tuple[torch.Tensor, torch.Tensor]:
        """ids and kinds [rows, length + 1]; the first `task_rows` rows are tasks."""
        while self.left is None or len(self.left[0]) < self.task_rows:
            ids, kinds = self.stream.next()
            fresh = torch.from_numpy(ids.astype("int16")).to(self.device), torch.from_numpy(kinds.copy()).to(self.device)
            self.left = fresh if self.left is None else tuple(torch.cat(pair) for pair in zip(self.left, fresh))
        tasks, kinds = (part[: self.task_rows] for part in self.left)
        self.left = tuple(part[self.task_rows :] for part in self.left)

        count = self.rows - self.task_rows
        limit = len(self.prose) - self.length - 1
        starts = torch.randint(limit, (count, 1), device=self.device, generator=self.generator)
        prose = self.prose[starts + self.offsets]
        prose[:, 0] = 0
        ids = torch.cat([tasks, prose]).long()
        return ids, torch.cat([kinds, torch.ones_like(prose, dtype=torch.uint8)])


def weighted_loss(model: Decoder, ids: torch.Tensor, kinds: torch.Tensor, answer_weight: float, dtype: torch.dtype):
    """The loss to minimise, and the plain losses (nats a token) of every token."""
    logits = model(ids[:, :-1], dtype)
    losses = F.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten(), reduction="none").view_as(ids[:, 1:])
    kinds = kinds[:, 1:]
    weights = (kinds != IGNORED).float() + answer_weight * (kinds == ANSWER).float()
    return (losses * weights).sum() / weights.sum(), losses.detach()


@torch.no_grad()
def bits_per_character(model: Decoder, ids: torch.Tensor, characters: int, dtype: torch.dtype) -> float:
    """Over consecutive pieces of 1,024 tokens, each beginning with the beginning-of-sequence token."""
    context = model.shape.context
    pieces = ids[: len(ids) // context * context].view(-1, context).long()
    total = 0.0
    for rows in pieces.split(32):
        logits = model(torch.cat([torch.zeros_like(rows[:, :1]), rows[:, :-1]], 1), dtype)
        total += F.cross_entropy(logits.flatten(0, 1).float(), rows.flatten(), reduction="sum").item()
    return total / pieces.numel() * len(ids) / characters / math.log(2)


def main() -> None:
    arguments = parse()
    arguments.out.mkdir(parents=True, exist_ok=True)
    checkpoint_path, log_path = arguments.out / "checkpoint.pt", arguments.out / "log.csv"
    torch.manual_seed(arguments.seed)
    device = arguments.device
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    model = Decoder(Shape()).to(device)
    steppers = optimizers(model, arguments)
    step, spent = 0, 0.0
    if checkpoint_path.exists():
        saved = torch.load(checkpoint_path, map_location=device)
        model.load_state_dict(saved["model"])
        for stepper, state in zip(steppers, saved["optimizers"]):
            stepper.load_state_dict(state)
        step, spent = saved["step"], saved["seconds"]
        print(f"resumed at step {step}, {spent:.0f} s", flush=True)

    train, _ = encode_books(arguments.books / "train", arguments.tokenizer, arguments.processes)
    valid, valid_characters = encode_books(arguments.books / "valid", arguments.tokenizer, arguments.processes)
    prose = torch.from_numpy(train.astype("int16")).to(device)
    valid_ids = torch.from_numpy(valid.astype("int16")).to(device)
    print(f"{len(train)} tokens of prose, {sum(p.numel() for p in model.parameters())} parameters", flush=True)

    # A resumed run goes on with other rows: `step` is part of the seed.
    seeds = [arguments.seed * 1_000_000 + step * 100 + offset for offset in (0, 50)]
    batches = {length: Batches(length, prose, arguments, seed) for length, seed in zip((SHORT, LONG), seeds)}
    compiled = torch.compile(weighted_loss, dynamic=False) if device == "cuda" else weighted_loss
    for length in (SHORT, LONG):  # compile before the clock starts
        compiled(model, *batches[length].next(), arguments.answer_weight, dtype)[0].backward()
        model.zero_grad(set_to_none=True)

    log = log_path.open("a", newline="")
    writer = csv.writer(log, lineterminator="\n")
    if log.tell() == 0:
        writer.writerow(["step", "seconds", "tokens_per_row", "prose_loss", "answer_loss", "rate_factor", "valid_bits_per_character"])

    def save() -> None:
        torch.save(
            {"model": model.state_dict(), "optimizers": [s.state_dict() for s in steppers], "step": step, "seconds": spent},
            checkpoint_path.with_suffix(".new"),
        )
        checkpoint_path.with_suffix(".new").replace(checkpoint_path)
        save_model(model, arguments.out)

    rates = [[group["lr"] for group in stepper.param_groups] for stepper in steppers]
    if step:  # a checkpoint holds rates already scaled
        rates = [[arguments.matrix_rate]] if arguments.optimizer == "muon" else []
        rates.append([arguments.rate, arguments.rate])
    saved_at, last = spent, time.time()
    while spent < arguments.seconds:
        progress = spent / arguments.seconds
        length = SHORT if progress < SHORT_SHARE else LONG
        factor = rate_factor(step, progress)
        for stepper, base in zip(steppers, rates):
            for group, rate in zip(stepper.param_groups, base):
                group["lr"] = rate * factor
        ids, kinds = batches[length].next()
        loss, losses = compiled(model, ids, kinds, arguments.answer_weight, dtype)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for stepper in steppers:
            stepper.step()
        model.zero_grad(set_to_none=True)
        step += 1
        if step % 100 == 0:
            tasks = batches[length].task_rows
            prose_loss = losses[tasks:].mean().item()
            answer_loss = losses[:tasks][kinds[:tasks, 1:] == ANSWER].mean().item()
            bits = bits_per_character(model, valid_ids, valid_characters, dtype) if step % 2000 == 0 else None
            row = [step, f"{spent:.1f}", length, f"{prose_loss:.4f}", f"{answer_loss:.5f}", f"{factor:.3f}", bits and f"{bits:.4f}"]
            writer.writerow(row)
            log.flush()
            if step % 500 == 0:
                print(*row, flush=True)
        spent, last = spent + time.time() - last, time.time()
        if spent - saved_at > SAVE_EVERY_SECONDS:
            save()
            saved_at = spent

    save()
    for stream in batches.values():
        stream.stream.close()
    print(f"done: {step} steps, {step * arguments.tokens_per_step / 1e6:.0f} M tokens, {spent:.0f} s", flush=True)
    print(f"valid bits per character {bits_per_character(model, valid_ids, valid_characters, dtype):.4f}", flush=True)


if __name__ == "__main__":
    main()
