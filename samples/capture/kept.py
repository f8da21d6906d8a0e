"""
Makes a file of kept keys for Keyhole (docs/imported.md): from a kvpress press whose result is a set of tokens, or from a function of
your own.

    pip install kvpress safetensors
    python samples/capture/kept.py --model DIR --ids IDS.json --evict-after 600 --press SnapKVPress --ratio 0.5 --out kept.safetensors
    python samples/capture/kept.py … --press AdaKVPress --inner SnapKVPress --ratio 0.5 --out kept.safetensors
    keyhole sweep --model DIR --ids-file IDS.json --kept kept.safetensors --out sweep.json

IDS.json: the token ids of the whole text, as `--ids-file` takes them. The press sees the first S of them in one prefill, as kvpress
does before a question. What it kept is read off the cache, not off its scores: a kept row is a row of the cache before the press,
bit by bit, so this holds for every press that drops tokens, whatever it is made of; masks (AdaKV) are read where kvpress puts them.
A press that changes rows is refused.
"""

import argparse
import json

import numpy as np
import torch
from safetensors.numpy import save_file

# What presses of these names leave is no set of the tokens of one prefill.
NO_SET = {
    "ThinKPress": "it zeroes channels of keys and drops no token",
    "MergingPress": "its rows are mixtures of tokens",
    "CAMPress": "it merges the values of dropped tokens into kept ones, while decoding",
    "KeyRerotationPress": "it turns kept keys to other positions; give the press inside it",
    "FinchPress": "it re-reads its delimiter and may turn kept keys to other positions; use Keyhole's finch",
    "DecodingPress": "it evicts while decoding: there is no one place",
    "CompressionRatioDecodingPress": "it evicts while decoding: there is no one place",
    "PrefillDecodingPress": "it evicts while decoding; give the press that it prefills with",
    "DMSPress": "it evicts while reading and decoding: there is no one place",
}


def save_kept(path, kept, evicted_after, tokens, scores=None):
    """
    kept[layer]: bool [sets, S], sets being 1, key-value heads or query heads. scores[layer]: [sets, S], NaN where nothing was scored.
    """
    tensors = {}
    for layer, mask in kept.items():
        rows = [np.flatnonzero(row) for row in np.asarray(mask, dtype=bool)]
        lists = np.full((len(rows), max(1, max(map(len, rows)))), -1, dtype=np.int32)
        for row, listed in zip(lists, rows):
            row[: len(listed)] = listed
        tensors[f"kept.{layer}"] = lists
    for layer, score in (scores or {}).items():
        tensors[f"score.{layer}"] = np.ascontiguousarray(score, dtype=np.float32)
    save_file(tensors, path, {"evicted_after": str(evicted_after), "tokens": str(tokens)})


def layers_of(model):
    inner = model.model.language_model if hasattr(model.model, "language_model") else model.model
    return [layer.self_attn for layer in inner.layers]


@torch.no_grad()
def kept_by_press(model, press, context):
    """What `press` keeps of `context` ([S] token ids): {layer: bool [key-value heads, S]}. ValueError where that is no set of tokens."""
    from transformers import DynamicCache

    name = type(press).__name__
    if name in NO_SET:
        raise ValueError(f"{name} has no set of kept tokens: {NO_SET[name]}.")
    before = {}

    def remember(module, _inputs, kwargs, _output):
        # Registered before the press, so it sees the cache as the press finds it. Presses that read more later come with other lengths.
        cache = kwargs["past_key_values"].layers[module.layer_idx]
        if module.layer_idx not in before:
            before[module.layer_idx] = (cache.keys[0].clone(), cache.values[0].clone())

    modules = layers_of(model)
    for module in modules:
        module.masked_key_indices = None
    hooks = [module.register_forward_hook(remember, with_kwargs=True) for module in modules]
    cache = DynamicCache()
    try:
        with press(model):
            # The decoder alone, as kvpress's pipeline calls it: nothing needs logits.
            model.model(input_ids=context[None].to(model.device), past_key_values=cache)
    finally:
        for hook in hooks:
            hook.remove()
    kept = {}
    for module in modules:
        layer = module.layer_idx
        mask = rows_that_stay(name, layer, before[layer], (cache.layers[layer].keys[0], cache.layers[layer].values[0]))
        masked = getattr(module, "masked_key_indices", None)
        if masked is not None:
            _, heads, places = masked
            mask[heads.cpu().numpy(), places.cpu().numpy()] = False
            module.masked_key_indices = None
        kept[layer] = mask
    return kept


def rows_that_stay(name, layer, before, after):
    """Which rows of a layer's cache are still there: bool [heads, S]."""
    rows = [torch.cat([keys, values], -1).cpu().contiguous().view(torch.uint8).numpy() for keys, values in (before, after)]
    heads, tokens = rows[0].shape[:2]
    mask = np.zeros((heads, tokens), dtype=bool)
    for head in range(heads):
        places = {}
        for token, row in enumerate(rows[0][head]):
            places.setdefault(row.tobytes(), []).append(token)
        for row in rows[1][head]:
            same = places.get(row.tobytes())
            if not same:
                raise ValueError(
                    f"{name} left a row in layer {layer}, head {head}, that no token had before: its result is no set of tokens."
                )
            mask[head, same.pop(0)] = True
    return mask


@torch.no_grad()
def kept_by_function(model, choose, context):
    """
    A rule of your own: `choose(layer, keys, values)` gets [key-value heads, S, channels], rotary positions applied, and returns bool
    [sets, S], or scores [sets, S] and how many to keep. Returns what save_kept takes: kept, scores.
    """
    from transformers import DynamicCache

    cache = DynamicCache()
    model.model(input_ids=context[None].to(model.device), past_key_values=cache)
    kept, scores = {}, {}
    for layer, at in enumerate(cache.layers):
        chosen = choose(layer, at.keys[0].float().cpu(), at.values[0].float().cpu())
        if isinstance(chosen, tuple):
            score, count = chosen
            best = torch.sort(score, dim=-1, descending=True, stable=True).indices[:, :count]
            chosen = torch.zeros_like(score, dtype=torch.bool).scatter_(-1, best, True)
            scores[layer] = score.numpy()
        kept[layer] = chosen.numpy()
    return kept, scores


def farthest_from_mean(keep):
    """An example of such a function: keeps the keys farthest from the mean key of their head."""

    def choose(_layer, keys, _values):
        return (keys - keys.mean(1, keepdim=True)).norm(dim=-1), int(keep * keys.shape[1])

    return choose


def main():
    from transformers import AutoModelForCausalLM

    parser = argparse.ArgumentParser(description="Writes what a kvpress press, or a function of your own, keeps.")
    parser.add_argument("--model", required=True, help="folder or name for transformers")
    parser.add_argument("--ids", required=True, help="JSON array of the text's token ids")
    parser.add_argument("--evict-after", type=int, required=True, help="S: the press sees so many tokens")
    parser.add_argument("--press", help="a press of kvpress; without one, the example function")
    parser.add_argument("--inner", help="the press inside, for those that have one")
    parser.add_argument("--ratio", type=float, default=0.5, help="kvpress's compression_ratio: the fraction removed")
    parser.add_argument("--attention", default="sdpa", help="eager for presses that ask for attention weights")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    with open(args.ids, encoding="utf-8") as file:
        ids = torch.tensor(json.load(file))
    if not 1 <= args.evict_after <= len(ids):
        parser.error(f"--evict-after must be from 1 to {len(ids)}, the tokens of the text.")
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32, attn_implementation=args.attention).eval()
    context = ids[: args.evict_after]
    scores = None
    if args.press:
        import kvpress

        press_class = getattr(kvpress, args.press)
        try:
            if args.inner:
                press = press_class(press=getattr(kvpress, args.inner)(compression_ratio=args.ratio))
            else:
                press = press_class(compression_ratio=args.ratio)
            kept = kept_by_press(model, press, context)
        except (ValueError, TypeError) as error:
            raise SystemExit(str(error))
    else:
        kept, scores = kept_by_function(model, farthest_from_mean(1 - args.ratio), context)
    save_kept(args.out, kept, args.evict_after, len(ids), scores)
    share = np.mean([mask.mean() for mask in kept.values()])
    print(f"{args.out}: {share:.1%} of {args.evict_after} tokens kept, mean over {len(kept)} layers")


if __name__ == "__main__":
    main()
