"""Quick check of ESA on a saved model beyond its trained length: closed-form scores, generated answers.

    python evaluate_esa.py --model DIR --books BOOKS --tasks stream-tasks.mjs --hay DIR --out esa.json
"""

import argparse
import json
from pathlib import Path

from tokenizers import Tokenizer

from calibrate import calibration_rows, closed_form, folded_vectors, rotated, second_moment
from esa import EsaRun, Settings, answer
from evaluate import make_tasks, wilson
from generate import numbers
from model import load_model

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--books", type=Path, required=True)
    parser.add_argument("--tasks", type=Path, required=True)
    parser.add_argument("--hay", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tokens", type=int, nargs="+", default=[4096, 16384])
    parser.add_argument("--dimension", type=int, default=16)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--device", default="cuda")
    arguments = parser.parse_args()

    model = load_model(arguments.model, arguments.device)
    tokenizer_path = arguments.model / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(tokenizer_path))
    settings = Settings()
    rows = calibration_rows(arguments.books, tokenizer_path, arguments.tasks, arguments.processes)
    queries, keys = folded_vectors(model, rows)
    turned = rotated(queries, settings.global_position, model.shape.rope_theta)
    query_map, key_map, _ = closed_form(second_moment(turned), second_moment(keys.flatten(2)), arguments.dimension)
    projections = list(zip(query_map, key_map))

    results = []
    for tokens in arguments.tokens:
        for task in ["single-needle", "four-needles"]:
            right = 0
            instances = make_tasks(arguments.tasks, arguments.hay, tokenizer_path, task, tokens, arguments.count, arguments.processes)
            for item in instances:
                made = answer(EsaRun(model, settings, projections), item["ids"][: item["answerStart"]], 36)
                right += numbers(tokenizer.decode(made)) == numbers(item["answerText"])
            low, high = wilson(right, len(instances))
            results.append({"tokens": tokens, "task": task, "right": right, "count": len(instances), "low": low, "high": high})
            print(f"ESA closed form d'={arguments.dimension} {tokens} {task} {right}/{len(instances)} [{low:.3f}, {high:.3f}]", flush=True)
            arguments.out.write_text(json.dumps(results, indent=2) + "\n")
