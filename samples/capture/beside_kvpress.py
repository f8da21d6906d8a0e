"""
Lays Keyhole's kept keys beside those of kvpress's presses, on a real model, and prints a table (docs/beside-kvpress.md).

    pip install torch "transformers>=5.2,<5.3" kvpress safetensors
    python samples/capture/beside_kvpress.py --model DIR --text samples/texts/lighthouse.txt --tokens 800

DIR is a model's folder as transformers writes it, a Llama. Every press sees the tokens in one prefill, in 32 bits, and what it kept is
read off the cache (kept.py). Keyhole's command line gets a capture of the same prefill, written here, and evicts after the same tokens;
kvzip, which has to read once more, gets the folder. Kept keys are compared as docs/contracts.md says, "Agreement", by the press's own
scores, recorded while it runs.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Callable

import kvpress
import numpy as np
import torch
from kept import kept_by_press, layers_of
from kvpress.presses import kvzip_press
from safetensors.numpy import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache
from transformers.models.llama.modeling_llama import rotate_half

# Removed of the tokens: kvpress's compression_ratio; Keyhole keeps the rest.
RATIO = 0.5
# Of the larger of a score and the score at the cut; of the layer's largest where scores may be negative.
TOLERANCE = 1e-4
SKETCH_DIMENSION = 48
SEED = 1
REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class WithoutTemplate:
    """Stands for AutoTokenizer while KVzip runs, which then does as for a model without a chat template; Keyhole leaves its words out."""

    @staticmethod
    def from_pretrained(name):
        tokenizer = AutoTokenizer.from_pretrained(name)
        tokenizer.chat_template = None
        return tokenizer


class FinchInPlace(kvpress.FinchPress):
    """Finch that leaves kept keys at their positions, told how long the question is: no delimiter in the text."""

    def __init__(self, question, **settings):
        super().__init__(rerotate_keys=False, **settings)
        self.window_size = question
        self.delimiter_token_id = -1


@dataclass
class Case:
    """A press and Keyhole's method; by what its keys are compared."""

    method: str
    press: Callable[[], object]
    parameters: dict = field(default_factory=dict)
    # Tokens at the start and at the end that stay whatever their scores.
    first: int = 0
    last: int = 0
    # By what the press decides, from its scores [G, S]: [G, S] as well; None: no one row of scores decides.
    deciding: Callable | None = lambda scores: scores
    # Whose scores compete: every 'head', all heads of a 'layer', all of the 'model'; a number: of a head, so many tokens at a time.
    among: object = "head"
    # Keyhole's scores are the press's.
    same_scores: bool = True
    attention: str = "sdpa"
    from_model: bool = False


def chunk_means(chunk):
    """ChunkKV: the scores' sum over heads, its mean over a chunk, given to each of the chunk's tokens."""

    def deciding(scores):
        summed = scores.sum(0)
        means = np.concatenate(
            [np.full(len(part), part.mean()) for part in np.split(summed, range(chunk, len(summed), chunk))]
        )
        return np.repeat(means[None], len(scores), 0)

    return deciding


def above_the_floor(floor):
    """AdaKV: the scores but for each head's own best, which stay in any case."""

    def deciding(scores):
        scores = scores.copy()
        best = np.argsort(-scores, axis=-1, kind="stable")[:, :floor]
        np.put_along_axis(scores, best, np.nan, axis=-1)
        return scores

    return deciding


def without_first_stage(scores):
    """CriticalKV: what the first stage keeps has the largest number that there is."""
    return np.where(scores > 1e38, np.nan, scores)


def cases(tokens):
    ratio = {"compression_ratio": RATIO}
    window = {"windowTokens": 64, "poolKernel": 5}
    kept = int(tokens * (1 - RATIO))
    snapkv = lambda: kvpress.SnapKVPress(window_size=64, kernel_size=5, **ratio)  # noqa: E731
    keydiff = lambda: kvpress.KeyDiffPress(**ratio)  # noqa: E731
    lag_end = 128 + (tokens - 4) % 128
    of_base = {"base": "snapkv", **window}
    return [
        Case("knorm", lambda: kvpress.KnormPress(**ratio)),
        Case("streaming-llm", lambda: kvpress.StreamingLLMPress(n_sink=4, **ratio), {"sinkTokens": 4}, deciding=None),
        Case("tova", lambda: kvpress.TOVAPress(**ratio), last=1),
        Case("snapkv", snapkv, window, last=64),
        Case(
            "pyramidkv",
            lambda: kvpress.PyramidKVPress(window_size=16, kernel_size=5, beta=20, **ratio),
            {"windowTokens": 16, "poolKernel": 5, "beta": 20},
            last=16,
        ),
        Case("observed-attention", lambda: kvpress.ObservedAttentionPress(**ratio), attention="eager"),
        Case("keydiff", keydiff),
        Case(
            "expected-attention",
            lambda: kvpress.ExpectedAttentionPress(n_future_positions=512, n_sink=4, **ratio),
            {"futurePositions": 512, "sinkTokens": 4, "useCovariance": True, "useValueNorm": True, "epsilon": 0},
            first=4,
        ),
        Case(
            "expected-attention",
            lambda: kvpress.ExpectedAttentionPress(n_future_positions=512, n_sink=4, use_covariance=False, **ratio),
            {"futurePositions": 512, "sinkTokens": 4, "useCovariance": False, "useValueNorm": True, "epsilon": 0},
            first=4,
        ),
        Case(
            "lagkv",
            lambda: kvpress.LagKVPress(n_sink=4, lag_size=128, **ratio),
            {"variant": "kvpress", "sinkTokens": 4, "lagTokens": 128},
            first=4,
            last=lag_end,
        ),
        Case(
            "capkv",
            lambda: kvpress.CapPress(tau=5.0, n_future_positions=512, n_sink=4, **ratio),
            {"temperature": 5, "futurePositions": 512, "sinkTokens": 4},
            first=4,
        ),
        Case(
            "cur",
            lambda: kvpress.CURPress(num_sinks=4, local_window_size=16, **ratio),
            {"sinkTokens": 4, "windowTokens": 16, "leverage": "product"},
            first=4,
        ),
        Case(
            "leverage",
            lambda: kvpress.LeverageScorePress(sketch_dimension=SKETCH_DIMENSION, **ratio),
            {"sketchDim": SKETCH_DIMENSION, "ridge": 0.01, "sketch": "injected"},
        ),
        Case(
            "noncausal",
            lambda: kvpress.NonCausalAttnPress(chunk_size=256, **ratio),
            {"chunkTokens": 256, "poolKernel": 3},
        ),
        Case(
            "compactor",
            lambda: kvpress.CompactorPress(chunk_size=256, sketch_dimension=SKETCH_DIMENSION, **ratio),
            {"sinkTokens": 8, "recentTokens": 4, "chunkTokens": 256, "sketchDim": SKETCH_DIMENSION, "blending": RATIO, "sketch": "injected"},
            first=8,
            last=4,
        ),
        Case(
            "chunkkv",
            lambda: kvpress.ChunkKVPress(press=snapkv(), chunk_length=20),
            {**of_base, "chunkTokens": 20, "reuseLayers": 1},
            deciding=chunk_means(20),
            same_scores=False,
        ),
        Case(
            "adakv",
            lambda: kvpress.AdaKVPress(press=snapkv(), alpha_safeguard=0.2),
            {**of_base, "floorFraction": 0.2},
            last=64,
            deciding=above_the_floor(max(1, int(kept * 0.2))),
            among="layer",
            same_scores=False,
        ),
        Case(
            "criticalkv",
            lambda: kvpress.CriticalKVPress(press=snapkv()),
            {**of_base, "firstStage": 0.5, "epsilon": 1e-4, "outputProjection": "injected"},
            deciding=without_first_stage,
            same_scores=False,
        ),
        Case(
            "critical-adakv",
            lambda: kvpress.CriticalAdaKVPress(press=snapkv()),
            {**of_base, "floorFraction": 0.2, "firstStage": 0.5, "epsilon": 1e-4, "outputProjection": "injected"},
            deciding=None,
        ),
        Case(
            "block", lambda: kvpress.BlockPress(press=keydiff(), block_size=128), {"base": "keydiff", "blockTokens": 128}, deciding=None
        ),
        Case(
            "chunk",
            lambda: kvpress.ChunkPress(press=keydiff(), chunk_length=256),
            {"base": "keydiff", "chunkTokens": 256},
            among=256,
            same_scores=False,
        ),
        Case(
            "finch",
            lambda: FinchInPlace(64, **ratio),
            {"windowTokens": 64, "chunkTokens": 0, "normalize": True, "positions": "original"},
            last=64,
        ),
        Case(
            "simlayerkv",
            lambda: kvpress.SimLayerKVPress(lazy_threshold=0.9, n_initial=4, n_recent=256, n_last=1),
            {"lazyThreshold": 0.9, "sinkTokens": 4, "recentTokens": 256, "lastTokens": 1},
            deciding=None,
        ),
        Case(
            "kvzip",
            lambda: kvpress.KVzipPress(n_sink=4, chunk_size=2048, **ratio),
            {"chunkTokens": 2048, "sinkTokens": 4, "layerwise": False, "normalize": False},
            first=4,
            among="model",
            from_model=True,
        ),
    ]


@torch.no_grad()
def write_capture(model, ids, path, sketch):
    """A capture (docs/captures.md) of one prefill: queries and keys before and after rotation, values, W_O and the sketch."""
    config = model.config
    tensors, hooks = {"input_ids": ids.numpy().astype(np.int32)}, []

    def remember(name):
        def hook(_module, _inputs, output):
            tensors[name] = output[0].view(len(ids), -1, config.head_dim).transpose(0, 1)

        return hook

    for module in layers_of(model):
        layer = module.layer_idx
        hooks.append(module.q_proj.register_forward_hook(remember(f"query_unrotated.{layer}")))
        hooks.append(module.k_proj.register_forward_hook(remember(f"key_unrotated.{layer}")))
        tensors[f"output_projection.{layer}"] = module.o_proj.weight
        tensors[f"sketch.{layer}"] = sketch[layer]
    cache = DynamicCache()
    try:
        model.model(input_ids=ids[None], past_key_values=cache)
    finally:
        for hook in hooks:
            hook.remove()
    cos, sin = model.model.rotary_emb(tensors["query_unrotated.0"], torch.arange(len(ids))[None])
    for layer, at in enumerate(cache.layers):
        query = tensors[f"query_unrotated.{layer}"]
        tensors[f"query.{layer}"] = query * cos + rotate_half(query) * sin
        tensors[f"key.{layer}"], tensors[f"value.{layer}"] = at.keys[0], at.values[0]
    metadata = {
        "format": "keyhole-capture-1",
        "layers": str(config.num_hidden_layers),
        "rope": json.dumps(config.rope_parameters),
        "trained_tokens": str(config.max_position_embeddings),
    }
    arrays = {name: np.ascontiguousarray(x.detach().numpy() if torch.is_tensor(x) else x) for name, x in tensors.items()}
    save_file(arrays, path, metadata)


def record_scores(press, into):
    """Puts into `into` what `press`, or the press inside it, scores: [G, S] by layer, before anything overwrites it."""
    scored = press if isinstance(press, (kvpress.ScorerPress, kvpress.FinchPress)) else getattr(press, "press", None)
    if isinstance(press, kvpress.KVzipPress):
        compress = press.compress_post

        def compress_and_remember(model):
            compress(model)
            into.update(enumerate(press.score_val[:, 0].numpy().copy()))

        press.compress_post = compress_and_remember
        prepare = press.prepare

        def prepare_and_remember(*args, **kwargs):
            pairs = prepare(*args, **kwargs)
            # The passages that it reads, which Keyhole is given: ids come without a tokenizer for the words.
            into["passages"] = [passage[0].tolist() for _, passage in pairs]
            return pairs

        press.prepare = prepare_and_remember
    elif scored is not None:
        score = scored.score

        def score_and_remember(module, *args, **kwargs):
            scores = score(module, *args, **kwargs)
            # ChunkPress scores its chunks one by one.
            before = [into[module.layer_idx]] if module.layer_idx in into else []
            into[module.layer_idx] = np.concatenate([*before, scores[0].float().numpy()], axis=-1).copy()
            return scores

        scored.score = score_and_remember


def run_press(model, case, ids, sketch):
    """What the press keeps [L, G, S], and its scores by layer."""
    scores = {}
    press = case.press()
    record_scores(press, scores)
    model.set_attn_implementation(case.attention)
    drawn = torch.randn
    layers = iter(sketch)
    if case.parameters.get("sketch") == "injected":
        torch.randn = lambda *_shape, **_kwargs: next(layers)[None] * math.sqrt(SKETCH_DIMENSION)

    kvzip_press.AutoTokenizer = WithoutTemplate
    try:
        kept = kept_by_press(model, press, ids)
    finally:
        torch.randn, kvzip_press.AutoTokenizer = drawn, AutoTokenizer
    return np.stack([kept[layer] for layer in sorted(kept)]), scores


def run_keyhole(case, source, tokens, heads, folder, passages):
    """What Keyhole keeps [L, G, S], its scores, and the parameters; `passages` are those that KVzip reads, otherwise None."""
    parameters = {**case.parameters, **({"repeatIds": passages} if passages else {})}
    if case.method != "simlayerkv":
        parameters = {"keepFraction": 1 - RATIO, **parameters}
    out = os.path.join(folder, "kept.safetensors")
    command = ["npm", "run", "--silent", "keyhole", "--", "select", *source, "--method", case.method]
    command += ["--params", json.dumps(parameters), "--evict-after", str(tokens), "--backend", "cpu", "--out", out]
    subprocess.run(command, cwd=REPOSITORY, check=True)
    tensors = load_file(out)
    layers = sum(name.startswith("kept.") for name in tensors)
    kept = np.zeros((layers, heads, tokens), dtype=bool)
    for layer in range(layers):
        lists = tensors[f"kept.{layer}"]
        for head in range(heads):
            row = lists[head * len(lists) // heads]
            kept[layer, head, row[row >= 0]] = True
    scores = {layer: tensors[f"score.{layer}"] for layer in range(layers) if f"score.{layer}" in tensors}
    return kept, scores, parameters


def compare(case, theirs, ours, their_scores, our_scores):
    """The numbers of a row of the table."""
    layers, heads, tokens = theirs.shape
    differs = theirs != ours
    row = {"sets": layers * heads, "kept": int(theirs.sum()), "different": int(differs.sum()), "inside": None}
    row["counts"] = bool((theirs.sum((1, 2)) == ours.sum((1, 2))).all())
    row["equal"] = int((~differs.any(-1)).sum())
    if case.deciding is None or not their_scores:
        return row
    scores = np.stack([case.deciding(their_scores[layer]) for layer in range(layers)]).astype(np.float64)
    scores[..., : case.first] = np.nan
    scores[..., tokens - case.last :] = np.nan
    scale_of = lambda part: None if np.nanmin(part) >= 0 else np.nanmax(np.abs(part))  # noqa: E731
    inside = np.zeros_like(theirs)
    farthest = 0.0
    for pool in pools_of(case.among, layers, heads, tokens):
        open_ = ~np.isnan(scores[pool])
        values, kept, different = scores[pool][open_], theirs[pool][open_], differs[pool][open_]
        if kept.all() or not kept.any():
            continue
        least_kept, most_dropped = values[kept].min(), values[~kept].max()
        scale = scale_of(scores[pool[0]]) or least_kept
        distance = np.where(kept, values - most_dropped, least_kept - values) / scale
        at = np.zeros(open_.shape, dtype=bool)
        at[open_] = distance <= 2 * TOLERANCE
        inside[pool] |= at
        if different.any():
            farthest = max(farthest, float(distance[different].max()))
    row["candidates"], row["band"] = int((~np.isnan(scores)).sum()), int(inside.sum())
    row["inside"], row["farthest"] = int((differs & inside).sum()), farthest
    if case.same_scores and our_scores:
        row["scores"] = largest_difference(case, scores, our_scores, theirs)
    return row


def pools_of(among, layers, heads, tokens):
    """What competes, as indices into [L, G, S]."""
    if among == "model":
        return [(slice(None),)]
    if among == "layer":
        return [(layer,) for layer in range(layers)]
    size = tokens if among == "head" else among
    return [
        (layer, head, slice(start, start + size))
        for layer in range(layers)
        for head in range(heads)
        for start in range(0, tokens, size)
    ]


def largest_difference(case, scores, our_scores, theirs):
    """Of two scores of a candidate, as the Agreement counts it."""
    worst = 0.0
    for layer, own in our_scores.items():
        heads, tokens = scores[layer].shape
        own = np.stack([own[head * len(own) // heads][:tokens] for head in range(heads)]).astype(np.float64)
        for head in range(heads):
            both = ~np.isnan(scores[layer, head]) & ~np.isnan(own[head])
            if not both.any():
                continue
            value = scores[layer, head][both]
            kept = value[theirs[layer, head][both]]
            scale = np.maximum(value, kept.min() if len(kept) else 0) if np.nanmin(scores[layer]) >= 0 else np.nanmax(np.abs(scores[layer]))
            with np.errstate(divide="ignore", invalid="ignore"):
                difference = np.where(own[head][both] == value, 0, np.abs(own[head][both] - value) / scale)
            worst = max(worst, float(difference.max()))
    return worst


def row_text(case, parameters, row):
    number = lambda value: "–" if value is None else f"{value:.1e}" if isinstance(value, float) and value else str(value or 0)  # noqa: E731
    press = type(case.press()).__name__.replace("InPlace", "Press")
    shown = json.dumps({name: value for name, value in parameters.items() if name not in ("keepFraction", "repeatIds")}, separators=(",", ":"))
    outside = None if row["inside"] is None else row["different"] - row["inside"]
    cells = [
        f"`{case.method}`",
        press,
        f"`{shown}`" if shown != "{}" else "–",
        f"{row['equal']} of {row['sets']}" + ("" if row["counts"] else ", other counts"),
        row["kept"],
        row["different"],
        number(row["inside"]),
        number(outside) if outside is not None else "–",
        number(row.get("farthest")) if row["different"] else "–",
        f"{row['band']} of {row['candidates']}" if "band" in row else "–",
        number(row.get("scores")),
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


HEADER = """| method | press | parameters | equal sets | keys kept | different | of these inside the band | outside | farthest from the cut | candidates inside the band | scores |
|---|---|---|---|---|---|---|---|---|---|---|"""


def main():
    parser = argparse.ArgumentParser(description="Keyhole's kept keys beside those of kvpress.")
    parser.add_argument("--model", required=True, help="a Llama's folder, as transformers writes it")
    parser.add_argument("--text", required=True, help="UTF-8")
    parser.add_argument("--tokens", type=int, default=800, help="of the text's beginning; all before the eviction")
    parser.add_argument("--only", default="", help="methods, by commas")
    parser.add_argument("--folder", help="for the capture; a new one that is removed by default")
    args = parser.parse_args()
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32, attn_implementation="sdpa").eval()
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    with open(args.text, encoding="utf-8") as file:
        ids = torch.tensor(tokenizer.encode(file.read(), add_special_tokens=False))[: args.tokens]
    if len(ids) < args.tokens:
        parser.error(f"the text has {len(ids)} tokens only.")
    config = model.config
    heads = config.num_key_value_heads
    generator = torch.Generator().manual_seed(SEED)
    shape = (config.num_hidden_layers, heads, config.head_dim, SKETCH_DIMENSION)
    sketch = torch.randn(shape, generator=generator) / math.sqrt(SKETCH_DIMENSION)
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or temporary
        capture, id_list = os.path.join(folder, "capture.safetensors"), os.path.join(folder, "ids.json")
        write_capture(model, ids, capture, sketch)
        with open(id_list, "w", encoding="utf-8") as file:
            json.dump(ids.tolist(), file)
        print(", ".join(f"{name} {version(name)}" for name in ("kvpress", "transformers", "torch")), HEADER, sep="\n\n", flush=True)
        for case in cases(args.tokens):
            if args.only and case.method not in args.only.split(","):
                continue
            theirs, their_scores = run_press(model, case, ids, sketch)
            source = ["--model", os.path.abspath(args.model), "--ids-file", id_list] if case.from_model else ["--capture", capture]
            try:
                ours, our_scores, parameters = run_keyhole(case, source, args.tokens, heads, folder, their_scores.pop("passages", None))
            except subprocess.CalledProcessError:
                print(f"{case.method}: Keyhole did not run it.", file=sys.stderr)
                continue
            print(row_text(case, parameters, compare(case, theirs, ours, their_scores, our_scores)), flush=True)


if __name__ == "__main__":
    main()
