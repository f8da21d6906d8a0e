"""Accuracy of a saved model with full attention: generated answers, all digits right, 95 % Wilson interval.

    python evaluate.py --model DIR --books BOOKS --tasks stream-tasks.mjs --hay NAME=DIR … --out accuracy.json

Tasks are woven into each hay (a folder of .txt files); seeds 0 … count - 1 are never trained on.
"""

import argparse
import json
import math
import subprocess
from pathlib import Path

import torch
from tokenizers import Tokenizer

from data import encode_books
from generate import generate, numbers
from model import load_model
from train import bits_per_character

TASKS = ["single-needle", "four-needles", "key-value", "stars"]


def wilson(right: int, count: int) -> tuple[float, float]:
    z, share = 1.959964, right / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    spread = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return centre - spread, centre + spread


def make_tasks(script: Path, hay: Path, tokenizer: Path, task: str, tokens: int, count: int, processes: int = 8) -> list[dict]:
    share = math.ceil(count / processes)
    nodes = [
        subprocess.Popen(
            ["node", str(script), "tasks", "--books", str(hay), "--tokenizer", str(tokenizer), "--task", task]
            + ["--tokens", str(tokens), "--first", str(first), "--count", str(min(share, count - first))],
            stdout=subprocess.PIPE,
        )
        for first in range(0, count, share)
    ]
    return [json.loads(line) for node in nodes for line in node.communicate()[0].splitlines()]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--books", type=Path, required=True)
    parser.add_argument("--tasks", type=Path, required=True)
    parser.add_argument("--hay", action="append", required=True, help="NAME=DIR")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=250)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--device", default="cuda")
    arguments = parser.parse_args()

    model = load_model(arguments.model, arguments.device)
    tokenizer_path = arguments.model / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(tokenizer_path))
    valid, characters = encode_books(arguments.books / "valid", tokenizer_path, arguments.processes)
    valid_ids = torch.from_numpy(valid.astype("int16")).to(arguments.device)
    bits = bits_per_character(model, valid_ids, characters, torch.float32)
    print(f"bits per character on the valid books {bits:.4f}", flush=True)

    results = {"bitsPerCharacter": bits, "tokens": arguments.tokens, "count": arguments.count, "accuracy": []}
    for hay in arguments.hay:
        name, folder = hay.split("=", 1)
        for task in TASKS:
            instances = make_tasks(
                arguments.tasks, Path(folder), tokenizer_path, task, arguments.tokens, arguments.count, arguments.processes
            )
            right = 0
            for start in range(0, len(instances), arguments.batch):
                batch = instances[start : start + arguments.batch]
                answers = generate(model, [item["ids"][: item["answerStart"]] for item in batch], 36)
                for item, answer in zip(batch, answers):
                    right += numbers(tokenizer.decode(answer)) == numbers(item["answerText"])
            low, high = wilson(right, len(instances))
            results["accuracy"].append(
                {"hay": name, "task": task, "right": right, "count": len(instances), "low": low, "high": high}
            )
            print(f"{name:6} {task:14} {right / len(instances):.4f}  [{low:.4f}, {high:.4f}]", flush=True)
    arguments.out.write_text(json.dumps(results, indent=2) + "\n")
