"""Lays what Keyhole computes of a GGUF file beside what transformers computes of the same file, on the CPU in float32.

    pip install torch transformers==5.2.0 gguf==0.19.0 accelerate safetensors
    python samples/capture/beside_transformers.py MODEL.gguf --text samples/texts/short.txt --tokens 200

Ids are Keyhole's. For each text: the largest difference of logits over the largest logit, and where the largest logit is of another
token than transformers' by more than a tie of 1e-4. Then --answer tokens of greedy text, each from what transformers wrote before.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

root = pathlib.Path(__file__).parents[2]
parser = argparse.ArgumentParser()
parser.add_argument("model", type=pathlib.Path)
parser.add_argument("--text", type=pathlib.Path, nargs="+", required=True)
parser.add_argument("--tokens", type=int, default=200)
parser.add_argument("--answer", type=int, default=20)
arguments = parser.parse_args()


def forward(*options):
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/out.safetensors"
        begun = time.time()
        command = ["node", root / "scripts/keyhole.mjs", "forward", "--model", arguments.model, "--backend", "cpu", "--out", out, *options]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        return load_file(out), time.time() - begun


def forward_ids(ids, *options):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(ids, file)
        file.flush()
        return forward("--ids-file", file.name, *options)


model = AutoModelForCausalLM.from_pretrained(
    arguments.model.parent, gguf_file=arguments.model.name, dtype=torch.float32, attn_implementation="eager"
).eval()
failed = False
for text in arguments.text:
    ids = forward("--text", text, "--last")[0]["input_ids"].tolist()[: arguments.tokens]
    found, seconds = forward_ids(ids)
    with torch.inference_mode():
        expected = model(torch.tensor([ids])).logits[0]
        written = model.generate(torch.tensor([ids]), max_new_tokens=arguments.answer, do_sample=False, eos_token_id=None)[0].tolist()
    largest = expected.abs().max()
    difference = ((found["logits"] - expected).abs().max() / largest).item()
    ours, theirs = found["logits"].argmax(-1), expected.argmax(-1)
    rows = torch.arange(len(ids))
    others = int(((expected[rows, theirs] - expected[rows, ours]) > 1e-4).sum())
    again = forward_ids(written[:-1])[0]["logits"][len(ids) - 1 :].argmax(-1).tolist()
    equal = sum(a == b for a, b in zip(again, written[len(ids) :]))
    failed |= difference > 1e-4 or others > 0 or equal < arguments.answer
    print(
        f"{text.name}: {len(ids)} tokens, {difference:.1e} of the largest logit ({largest:.1f}), another token first {others} times,"
        f" {equal} of {arguments.answer} greedy tokens equal, {seconds:.1f} s",
        flush=True,
    )
sys.exit(failed)
