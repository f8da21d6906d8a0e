"""The benchmark's steps in PyTorch, for a table beside `npm run bench`'s on the same GPU.

    python3 bench/pytorch.py [--json FILE]

Everything is in 32-bit floats. Matrix products run twice: with the FMA units alone, which is what WebGPU has, and with TF32
tensor cores, which round inputs to 10 bits. "eager" writes attention as products and a softmax; "fused" is
scaled_dot_product_attention, whose kernel for 32-bit floats is the memory-efficient one.
"""

import argparse
import json
import math

import torch
import torch.nn.functional as functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.bias import causal_lower_right

NO_MASK, CAUSAL_FROM_THE_END = 0, 2  # custom_mask_type of _efficient_attention_forward

QWEN_05B = {  # name: (channels in, channels out) of one layer
    "q": (896, 896), "k": (896, 128), "v": (896, 128), "o": (896, 896),
    "gate": (896, 4864), "up": (896, 4864), "down": (4864, 896),
}
rows = []


def milliseconds(step):
    """GPU time of `step`: the mean over repetitions that fill 40 ms, in the fastest of six such runs."""
    def run(repeats):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        for _ in range(repeats):
            step()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / repeats
    run(2)
    repeats = max(1, min(200, math.ceil(40 / max(run(1), 1e-3))))
    return min(run(repeats) for _ in range(6))


def report(name, size, ms, flops=0, bytes_moved=0):
    rows.append({"name": name, "size": size, "milliseconds": ms, "flops": flops, "bytes": bytes_moved})
    per_second = [f"{amount / ms / 1e6:.0f}" if amount else "–" for amount in (flops, bytes_moved)]
    print(f"{name:<34}{size:<40}{ms:9.3g}{per_second[0]:>10}{per_second[1]:>9}")


def measure(name, size, step, flops=0, bytes_moved=0):
    try:
        report(name, size, milliseconds(step), flops, bytes_moved)
    except torch.cuda.OutOfMemoryError:
        print(f"{name:<34}{size:<40}out of memory")
    torch.cuda.empty_cache()


def random(*shape):
    return torch.rand(*shape, device="cuda") * 2 - 1


def products():
    a, b = random(4096, 4096), random(4096, 4096)
    copies = 4  # layers in turn: their weights do not fit the cache
    layers = [{name: random(out, depth) for name, (depth, out) in QWEN_05B.items()} for _ in range(copies)]
    weights = sum(depth * out for depth, out in QWEN_05B.values())
    for tf32 in (False, True):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        kind = "TF32" if tf32 else "f32"
        measure(f"matmul, square, {kind}", "4096 × 4096 over 4096", lambda: a @ b.T, 2 * 4096**3)
        for count, name in ((2048, "prefill"), (1, "decode")):
            inputs = {depth: random(count, depth) for depth in (896, 4864)}

            def step():
                for layer in layers:
                    for key, weight in layer.items():
                        functional.linear(inputs[QWEN_05B[key][0]], weight)
            ms = milliseconds(step) / copies
            report(f"{name}, one layer, {kind}", "1 row" if count == 1 else f"{count} rows", ms, 2 * count * weights, 4 * weights if count == 1 else 0)
    torch.backends.cuda.matmul.allow_tf32 = False


def eager(query, key, value, mask=None):
    """Attention of [H, n, d] over [H, m, d] as its formula reads."""
    logits = query @ key.transpose(1, 2) * query.shape[-1] ** -0.5
    if mask is not None:
        logits = logits + mask
    return torch.softmax(logits, -1) @ value


def fused(query, key, value, **options):
    with sdpa_kernel(SDPBackend.EFFICIENT_ATTENTION):
        return functional.scaled_dot_product_attention(query[None], key[None], value[None], **options)


def attention():
    heads, tokens, channels = 16, 8192, 64
    query, key, value = (random(heads, tokens, channels) for _ in range(3))
    flops = 4 * channels * heads * tokens * (tokens + 1) / 2
    size = f"{heads} heads, {tokens} × {tokens}, d {channels}"
    mask = torch.full((tokens, tokens), -math.inf, device="cuda").triu(1)
    measure("attention, causal, eager", size, lambda: eager(query, key, value, mask), flops)
    measure("attention, causal, fused", size, lambda: fused(query, key, value, is_causal=True), flops)
    del mask
    keys = 32_768
    query, key, value = random(heads, 512, channels), random(heads, keys, channels), random(heads, keys, channels)
    for count in (512, 2048, 8192):
        chosen = torch.randperm(keys, device="cuda")[:count].sort().values
        size = f"{heads} heads, 512 × {count} of {keys}"
        flops = 4 * channels * heads * 512 * count
        measure("attention over a list, eager", size, lambda: eager(query, key[:, chosen], value[:, chosen]), flops)
        measure("attention over a list, fused", size, lambda: fused(query, key[:, chosen], value[:, chosen]), flops)


def top_k():
    for count in (1, 1024):
        scores = random(count, 32_768)
        measure("top-k", f"{count} × 2048 of 32768", lambda: torch.topk(scores, 2048), 0, 4 * scores.numel())


def rotate(x, positions):
    """Rotary embedding, half-split, of [..., n, d] at n positions (or one)."""
    half = x.shape[-1] // 2
    angles = positions[:, None].double() * 10_000.0 ** (-torch.arange(half, device="cuda").double() / half)
    cosine, sine = angles.cos().float(), angles.sin().float()
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cosine - b * sine, b * cosine + a * sine], -1)


class EsaStep:
    """The last 512 tokens of a text in one layer: 16 heads over 8, d 128, d' 128, 2,048 selected, 128 initial tokens."""

    H, G, d, compressed, block, initial, selected, proximity = 16, 8, 128, 128, 512, 128, 2048, 3

    def __init__(self, tokens, local):
        self.tokens, self.local_start = tokens, max(0, tokens - self.block - local)
        self.init_end = min(self.initial, self.local_start)
        self.w = torch.tensor([local], device="cuda")
        at = torch.arange(tokens, device="cuda")
        self.plain_query = random(self.H, self.block, self.d)
        self.query = rotate(self.plain_query, at[-self.block:])
        self.plain_key = random(self.G, tokens, self.d)
        self.key = torch.cat([rotate(part, places) for part, places in
                              zip(self.plain_key.split(8192, 1), at.split(8192))], 1)
        self.value = random(self.G, tokens, self.d)
        width = self.G * self.d
        self.query_map, self.key_map = random(self.compressed, width), random(self.compressed, width)
        self.cache = self.compress_keys(0, tokens)
        near = tokens - self.local_start
        self.near_mask = torch.zeros(self.block, near, device="cuda")
        self.near_mask[:, -self.block:] = torch.full((self.block, self.block), -math.inf, device="cuda").triu(1)

    def compress_keys(self, start, end):
        return self.plain_key[:, start:end].transpose(0, 1).reshape(end - start, -1) @ self.key_map.T

    def heads(self, tensor):
        """Key-value heads repeated for their query heads."""
        return tensor.repeat_interleave(self.H // self.G, 0)

    def full(self):
        """Full attention of the block's queries, eager and fused; heads are repeated outside of the time."""
        key, value = self.heads(self.key), self.heads(self.value)
        mask = torch.zeros(self.block, self.tokens, device="cuda")
        mask[:, -self.block:] = self.near_mask[:, -self.block:]
        causal = causal_lower_right(self.block, self.tokens)
        return (lambda: eager(self.query, key, value, mask),
                lambda: functional.scaled_dot_product_attention(
                    self.query[None], key[None], value[None], attn_mask=causal)[0])

    def select(self):
        """Tokens that are kept: Eqs. 3, 4 and 8 of arXiv 2502.14477 with group folding; equal scores fall as they may."""
        fresh = max(0, self.local_start - self.block)
        self.cache[fresh:self.local_start] = self.compress_keys(fresh, self.local_start)
        folded = rotate(self.plain_query.view(self.G, -1, self.block, self.d).sum(1), self.w)
        query = folded.transpose(0, 1).reshape(self.block, -1) @ self.query_map.T
        scores = query @ self.cache[self.init_end:self.local_start].T
        peaks = (scores - scores.amax(1, keepdim=True)).amax(0)
        dilated = functional.max_pool1d(peaks[None], 2 * self.proximity + 1, 1, self.proximity)[0]
        chosen = torch.topk(dilated, self.selected).indices.sort().values + self.init_end
        return torch.cat([torch.arange(self.init_end, device="cuda"), chosen])

    def parts(self):
        kept = self.select() if self.local_start - self.init_end > self.selected \
            else torch.arange(self.local_start, device="cuda")
        near = slice(self.local_start, self.tokens)
        return ((rotate(self.plain_query, self.w), self.heads(self.plain_key[:, kept]), self.heads(self.value[:, kept])),
                (self.query, self.heads(self.key[:, near]), self.heads(self.value[:, near])))

    def eager(self):
        (far_query, far_key, far_value), (query, key, value) = self.parts()
        scale = self.d ** -0.5
        logits = torch.cat([far_query @ far_key.transpose(1, 2) * scale,
                            query @ key.transpose(1, 2) * scale + self.near_mask], -1)
        return torch.softmax(logits, -1) @ torch.cat([far_value, value], 1)

    def fused(self):
        """Two fused attentions, merged by the log-sum-exps that scaled_dot_product_attention's own operator gives."""
        def attend(mask_type, *tensors):
            query, key, value = (tensor.transpose(0, 1)[None] for tensor in tensors)
            out, log_sum_exp = torch.ops.aten._efficient_attention_forward(
                query, key, value, None, None, None, None, None, 0.0, mask_type, True)[:2]
            return out[0].transpose(0, 1), log_sum_exp[0, :, : self.block, None]
        far, near = self.parts()
        (a, far_sum), (b, near_sum) = attend(NO_MASK, *far), attend(CAUSAL_FROM_THE_END, *near)
        total = torch.logaddexp(far_sum, near_sum)
        return a * (far_sum - total).exp() + b * (near_sum - total).exp()


def esa():
    for tokens, local in ((8192, 4096), (32_768, 4096), (131_072, 4096), (32_768, 512)):
        step = EsaStep(tokens, local)
        full_eager, full_fused = step.full()
        for name, a, b in (("full", full_eager, full_fused), ("ESA", step.eager, step.fused)):
            error = (a() - b()).abs().max().item()
            if not error < 1e-4:
                raise SystemExit(f"{name} attention: eager and fused differ by {error}")
        size = f"512 of {tokens} tokens, {local} local"
        flops = 4 * step.H * step.d * 512 * (tokens - 255.5)
        measure("full, eager", size, full_eager, flops)
        measure("full, fused", size, full_fused, flops)
        measure("ESA, eager", size, step.eager)
        measure("ESA, fused attention", size, step.fused)
        del step, full_eager, full_fused
        torch.cuda.empty_cache()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", help="also write the figures to this file")
    arguments = parser.parse_args()
    device = torch.cuda.get_device_name()
    print(f"{device}, PyTorch {torch.__version__}\n")
    print(f"{'step':<34}{'size':<40}{'ms':>9}{'GFLOP/s':>10}{'GB/s':>9}")
    with torch.no_grad():
        for part in (products, attention, top_k, esa):
            part()
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"device": device, "pytorch": torch.__version__, "measurements": rows}, file, indent=1)


if __name__ == "__main__":
    main()
