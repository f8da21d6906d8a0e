"""
Records a text's queries, keys and values from any transformers model as a capture for Keyhole (docs/captures.md), and serves captures.

    pip install torch "transformers>=5.2,<5.3" safetensors
    python samples/capture/keyhole_capture.py record --model DIR --text samples/texts/lighthouse.txt --layers 3,20 --out own.safetensors
    keyhole select --capture own.safetensors --method lagkv --out kept.safetensors
    python samples/capture/keyhole_capture.py serve own.safetensors

Queries and keys are taken where the model hands them to its attention function, rotated and before keys are repeated over their group,
so this works for every model whose attention goes through transformers' attention interface, with sdpa, eager or a flash attention.
Layers are written to the file as the model reaches them and not kept: with --device-map auto (accelerate) neither the model nor the
capture has to fit a GPU, or memory. What a capture cannot say is refused in a sentence: attention sinks, position biases, attention
within chunks or that is not causal, values of another width than keys.
"""

import argparse
import json
import os
import re
import struct
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

FORMAT = "keyhole-capture-1"
INTERFACE = "keyhole_capture"
DTYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
# What the header may grow by once windows are known.
RESERVED_BYTES = 256
RESERVED_BYTES_PER_LAYER = 16


class LayerFile:
    """A safetensors file that is written tensor by tensor. Its header, for which room is left, comes last."""

    def __init__(self, path, metadata, expected):
        """`expected`: names and shapes of the tensors that will come, as far as the room for the header goes."""
        self.path = path
        self.metadata = dict(metadata)
        self.entries = {}
        self.written = 0
        room = {name: {"dtype": "BF16", "shape": list(shape), "data_offsets": [2**50, 2**50]} for name, shape in expected.items()}
        self.room = len(json.dumps({"__metadata__": self.metadata, **room})) + RESERVED_BYTES
        self.room += RESERVED_BYTES_PER_LAYER * len(expected)
        self.room += -self.room % 8
        self.file = open(f"{path}.part", "wb")
        self.file.seek(8 + self.room)

    def add(self, name, tensor, dtype):
        import torch

        tensor = tensor.detach()
        if tensor.is_floating_point():
            tensor = tensor.to(getattr(torch, DTYPES[dtype]))
            if not bool(torch.isfinite(tensor).all()):
                raise ValueError(f"{name} holds values that {dtype} cannot hold, or none at all; record in F32 or BF16.")
        else:
            tensor, dtype = tensor.to(torch.int32), "I32"
        data = tensor.contiguous().cpu().flatten().view(torch.uint8).numpy()
        end = self.written + data.nbytes
        self.entries[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [self.written, end]}
        self.file.write(data.data)
        self.written = end

    def close(self):
        header = json.dumps({"__metadata__": self.metadata, **self.entries}).encode()
        if len(header) > self.room:
            raise ValueError("The capture's header has outgrown the room that was left for it.")
        self.file.seek(0)
        self.file.write(struct.pack("<Q", self.room) + header.ljust(self.room))
        self.file.close()
        os.replace(f"{self.path}.part", self.path)

    def discard(self):
        self.file.close()
        if os.path.exists(f"{self.path}.part"):
            os.remove(f"{self.path}.part")


class Recording:
    """What `record` writes while the model runs."""

    def __init__(self, path, layers, tokens, dtype, metadata, input_ids, shard_bytes, output_projection):
        self.path = path
        self.layers = layers
        self.tokens = tokens
        self.dtype = dtype
        self.metadata = metadata
        self.input_ids = input_ids
        self.shard_bytes = shard_bytes
        self.output_projection = output_projection
        self.seen = []
        self.groups = None
        self.file = None
        self.paths = []
        self.rules = None
        self.windows = {}

    def see(self, module, query, key, value, given):
        layer = module.layer_idx
        if layer not in self.layers:
            return
        if layer in self.seen:
            raise ValueError(f"Layer {layer} attends twice; a capture holds the attention of one layer once.")
        check_sayable(module, query, key, value, given)
        scale, soft_cap = given.get("scaling"), given.get("softcap")
        rules = (scale or query.shape[-1] ** -0.5, soft_cap)
        if self.rules not in (None, rules):
            raise ValueError("Layers differ in the scale or the soft cap of their scores; record those that are alike.")
        self.rules = rules
        start, end = self.tokens
        tensors = {name: x[0, :, start:end] for name, x in (("query", query), ("key", key), ("value", value))}
        if self.output_projection:
            tensors["output_projection"] = output_weight(module)
        if self.groups is None:
            self.plan(tensors)
        self.seen.append(layer)
        if self.file is None or layer not in self.group:
            self.begin(layer, tensors)
        for name, tensor in tensors.items():
            self.file.add(f"{name}.{layer}", tensor, self.dtype)
        window = given.get("sliding_window") or getattr(module, "sliding_window", None)
        # As long as the text it hides nothing from anybody.
        self.windows[layer] = int(window) if window and window < end - start else None
        if all(each in self.seen for each in self.group):
            self.finish()

    def plan(self, tensors):
        """Layers by file: as many as stay below `shard_bytes`."""
        bytes_per_layer = sum(x.numel() for x in tensors.values()) * (4 if self.dtype == "F32" else 2)
        count = len(self.layers) if self.shard_bytes is None else max(1, int(self.shard_bytes // bytes_per_layer))
        self.groups = [self.layers[at : at + count] for at in range(0, len(self.layers), count)]

    def begin(self, layer, tensors):
        if self.file is not None:
            self.finish()
        self.group = next(group for group in self.groups if layer in group)
        path = self.path
        if len(self.groups) > 1:
            stem = re.sub(r"\.safetensors$", "", path)
            path = f"{stem}-layers-{self.group[0]}-to-{self.group[-1]}.safetensors"
        expected = {f"{name}.{each}": x.shape for each in self.group for name, x in tensors.items()}
        self.file = LayerFile(path, self.metadata, {"input_ids": self.input_ids.shape, **expected})
        self.file.add("input_ids", self.input_ids, self.dtype)

    def finish(self):
        scale, soft_cap = self.rules
        self.file.metadata["attention_scale"] = repr(float(scale))
        if soft_cap:
            self.file.metadata["soft_cap"] = repr(float(soft_cap))
        windows = [self.windows.get(layer) for layer in range(int(self.metadata["layers"]))]
        if any(windows):
            self.file.metadata["window"] = json.dumps(windows, separators=(",", ":"))
        self.file.close()
        self.paths.append(self.file.path)
        self.file = None


def check_sayable(module, query, key, value, given):
    """ValueError for attention that is no softmax of q·k over a causal text, maybe with a window or a soft cap."""
    layer = module.layer_idx
    sinks = given.get("s_aux") is not None or getattr(module, "sinks", None) is not None
    for refused, what in (
        (query.shape[0] != 1, "reads several texts at once"),
        (sinks, "has attention sinks beside its tokens"),
        (given.get("position_bias") is not None, "adds biases to its scores"),
        (getattr(module, "is_causal", True) is False or given.get("is_causal") is False, "is not causal"),
        (query.shape[2] != key.shape[2], "attends to another text than its own"),
        (value.shape != key.shape, f"has values of {value.shape[-1]} channels and keys of {key.shape[-1]}"),
        (query.shape[1] % key.shape[1] != 0, "shares keys between unequal groups of heads"),
    ):
        if refused:
            raise ValueError(f"Layer {layer} {what}, which a capture cannot say.")


def output_weight(module):
    """W_O [D, H·d] of an attention module."""
    for name in ("o_proj", "out_proj", "dense", "c_proj"):
        projection = getattr(module, name, None)
        weight = getattr(projection, "weight", None)
        if weight is None:
            continue
        if weight.is_meta or not weight.is_floating_point():
            raise ValueError(f"{name} of layer {module.layer_idx} is not in memory as numbers; record without output_projection.")
        # GPT-2's maps are stored the other way round.
        return weight.T if type(projection).__name__ == "Conv1D" else weight
    raise ValueError(f"Layer {module.layer_idx} has no output projection of a known name; record without output_projection.")


def rope_of(config):
    """The metadata that says how the layers' queries and keys are rotated; empty where a model has no rotary positions."""
    settings = getattr(config, "rope_parameters", None)
    if not settings:
        return {}
    beside = {name: getattr(config, name, None) for name in ("original_max_position_embeddings", "partial_rotary_factor")}

    def whole(of_layer):
        given = {name: value for name, value in {**beside, **of_layer}.items() if value is not None}
        return given or None

    by_kind = all(value is None or isinstance(value, dict) for value in settings.values())
    layers = range(config.num_hidden_layers)
    ropes = [whole((settings[config.layer_types[layer]] or {}) if by_kind else settings) for layer in layers]
    # 1: rotated (SmolLM3, Llama 4).
    for layer, is_rotated in enumerate(getattr(config, "no_rope_layers", None) or []):
        ropes[layer] = ropes[layer] if is_rotated else None
    if all(rope == ropes[0] for rope in ropes):
        return {"rope": json.dumps(ropes[0])} if ropes[0] else {}
    return {"rope_layers": json.dumps(ropes)}


def token_texts(tokenizer, ids):
    """The text that each token stands for; what is half a character is the replacement character."""
    texts = []
    for name, token in zip(tokenizer.convert_ids_to_tokens(ids), ids):
        # SentencePiece drops the blank before a token that stands alone.
        texts.append(name.replace("\u2581", " ") if name and "\u2581" in name else tokenizer.decode([token]))
    return texts


def own_eager(module):
    """The attention function of a model's own file, which `eager` stands for."""
    return sys.modules[type(module).__module__].eager_attention_forward


def record(
    model,
    input_ids,
    path,
    *,
    tokenizer=None,
    layers=None,
    tokens=None,
    dtype="F32",
    answer_start=None,
    output_projection=False,
    shard_bytes=None,
    name=None,
):
    """
    Runs `model` over `input_ids` ([T]) once and writes a capture. Returns the paths of its files.

    layers: which, all by default. tokens: (start, end), what is kept of the text; attention is then among these tokens alone. dtype:
    F32, F16 or BF16. answer_start: first token of the answer, counted in the whole text. output_projection: W_O as well, which output
    errors after it need. shard_bytes: a capture that would be larger becomes several, of consecutive layers each, every one a capture by
    itself. name: of the model. ValueError, one sentence, for what a capture cannot say.
    """
    import torch
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    config = model.config.get_text_config()
    count = config.num_hidden_layers
    layers = sorted(set(range(count) if layers is None else layers))
    if not layers or not 0 <= layers[0] <= layers[-1] < count:
        raise ValueError(f"Layers must be some of 0 to {count - 1}.")
    kinds = getattr(config, "layer_types", None) or []
    chunked = [layer for layer in layers if layer < len(kinds) and kinds[layer] == "chunked_attention"]
    if chunked:
        raise ValueError(f"Layer {chunked[0]} attends within chunks of the text, which a capture cannot say.")
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}.")
    ids = torch.as_tensor(input_ids).flatten().cpu()
    start, end = tokens or (0, len(ids))
    if not 0 <= start < end <= len(ids):
        raise ValueError(f"Tokens must be a range within 0 to {len(ids)}.")
    metadata = {
        "format": FORMAT,
        "layers": str(count),
        "model": name or os.path.basename(config.name_or_path.rstrip("/")) or type(model).__name__,
    }
    metadata |= rope_of(config)
    if start > 0:
        metadata["position_offset"] = str(start)
    if answer_start is not None and start < answer_start < end:
        metadata["answer_start"] = str(answer_start - start)
    if getattr(config, "max_position_embeddings", None):
        metadata["trained_tokens"] = str(config.max_position_embeddings)
    if tokenizer is not None:
        metadata["tokens"] = json.dumps(token_texts(tokenizer, ids[start:end].tolist()), ensure_ascii=False)
    recording = Recording(path, layers, (start, end), dtype, metadata, ids[start:end], shard_bytes, output_projection)
    chosen = config._attn_implementation

    def attend(module, query, key, value, mask, **given):
        recording.see(module, query, key, value, given)
        if chosen == "sdpa" and given.get("softcap"):
            raise ValueError("sdpa leaves the model's soft cap out; load the model with attn_implementation='eager'.")
        function = ALL_ATTENTION_FUNCTIONS[chosen] if chosen != "eager" else own_eager(module)
        return function(module, query, key, value, mask, **given)

    ALL_ATTENTION_FUNCTIONS.register(INTERFACE, attend)
    # Without a mask function of the same name there would be no mask.
    ALL_MASK_ATTENTION_FUNCTIONS.register(INTERFACE, ALL_MASK_ATTENTION_FUNCTIONS[chosen])
    was_training = model.training
    model.eval()
    model.set_attn_implementation(INTERFACE)
    try:
        if config._attn_implementation != INTERFACE:
            raise ValueError(f"{type(model).__name__} does not go through transformers' attention interface.")
        # The decoder alone: nobody needs logits.
        decoder = model.get_decoder() if hasattr(model, "get_decoder") else model
        device = model.get_input_embeddings().weight.device
        with torch.no_grad():
            decoder(input_ids=ids[None].to("cpu" if device.type == "meta" else device), use_cache=False)
        if recording.file is not None:
            recording.finish()
        missing = [layer for layer in layers if layer not in recording.seen]
        if missing and not recording.seen:
            raise ValueError("No layer that was asked for attends; there is nothing to record.")
        if missing:
            print(f"Layers {missing} do not attend and are not in the capture.", file=sys.stderr)
    finally:
        if recording.file is not None:
            recording.file.discard()
        model.set_attn_implementation(chosen)
        model.train(was_training)
    return recording.paths


class CaptureHandler(SimpleHTTPRequestHandler):
    """Answers for the files of `served` alone, in ranges, to pages of any origin."""

    protocol_version = "HTTP/1.1"

    def __init__(self, served, *args):
        self.served = served
        super().__init__(*args)

    def end_headers(self):
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Access-Control-Allow-Headers", "Range")
        self.send_header("Access-Control-Expose-Headers", "Accept-Ranges, Content-Length, Content-Range, ETag")
        self.send_header("Access-Control-Allow-Private-Network", "true")
        self.send_header("Cross-Origin-Resource-Policy", "cross-origin")
        super().end_headers()

    def do_OPTIONS(self):
        self.send_response(204)
        self.send_header("Access-Control-Allow-Methods", "GET, HEAD")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self):
        self.answer(with_body=False)

    def do_GET(self):
        self.answer(with_body=True)

    def answer(self, with_body):
        path = self.served.get(unquote(urlsplit(self.path).path).lstrip("/"))
        if path is None or not os.path.isfile(path):
            self.send_error(404)
            return
        size = os.path.getsize(path)
        begin, end = 0, size
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if asked and any(asked.groups()):
            first, last = asked.groups()
            begin = int(first) if first else max(0, size - int(last))
            end = min(size, int(last) + 1) if first and last else size
            if begin >= end:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{size}")
        else:
            self.send_response(200)
        status = os.stat(path)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(end - begin))
        self.send_header("ETag", f'"{status.st_mtime_ns:x}-{size:x}"')
        self.end_headers()
        if not with_body:
            return
        try:
            with open(path, "rb") as file:
                file.seek(begin)
                while begin < end:
                    part = file.read(min(1 << 20, end - begin))
                    if not part:
                        break
                    self.wfile.write(part)
                    begin += len(part)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, *_args):
        """Nobody reads a line for every range."""


def server_of(paths, port=8014, host="127.0.0.1"):
    """A server of captures by their file names; port 0 takes any. Nothing else of their folder is served."""
    return ThreadingHTTPServer((host, port), partial(CaptureHandler, {os.path.basename(path): path for path in paths}))


def range_of(text):
    start, end = text.split(":")
    return int(start), int(end)


def main():
    parser = argparse.ArgumentParser(description="Records captures for Keyhole, and serves them.")
    commands = parser.add_subparsers(dest="command", required=True)
    recorder = commands.add_parser("record", help="run a model over a text and write what its attention saw")
    recorder.add_argument("--model", required=True, help="folder or name for transformers")
    source = recorder.add_mutually_exclusive_group(required=True)
    source.add_argument("--text", help="UTF-8 text")
    source.add_argument("--ids", help="JSON array of token ids")
    recorder.add_argument("--first", type=int, help="so many tokens of the text are read; all by default")
    recorder.add_argument("--layers", help="such as 3,20; all by default")
    recorder.add_argument("--tokens", type=range_of, metavar="START:END", help="what is kept of the text; all by default")
    recorder.add_argument("--dtype", choices=DTYPES, default="F32", help="of the capture")
    recorder.add_argument("--model-dtype", default="auto", help="of the model while it runs: auto, float32, bfloat16, …")
    recorder.add_argument("--device-map", help="accelerate's, such as auto")
    recorder.add_argument("--attention", default=None, help="sdpa, eager or another implementation of transformers")
    recorder.add_argument("--answer-start", type=int, help="first token of the answer")
    recorder.add_argument("--output-projection", action="store_true", help="write W_O as well")
    recorder.add_argument("--shard-bytes", type=float, help="a larger capture becomes several, of some layers each")
    recorder.add_argument("--out", required=True)
    server = commands.add_parser("serve", help="serve captures in ranges, to any page")
    server.add_argument("captures", nargs="+")
    server.add_argument("--port", type=int, default=8014)
    server.add_argument("--host", default="127.0.0.1")
    args = parser.parse_args()
    if args.command == "serve":
        serving = server_of(args.captures, args.port, args.host)
        for path in args.captures:
            print(f"http://{args.host}:{serving.server_port}/{os.path.basename(path)}", flush=True)
        try:
            serving.serve_forever()
        except KeyboardInterrupt:
            return
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = None
    if args.text:
        tokenizer = AutoTokenizer.from_pretrained(args.model)
        with open(args.text, encoding="utf-8") as file:
            ids = tokenizer(file.read())["input_ids"]
    else:
        with open(args.ids, encoding="utf-8") as file:
            ids = json.load(file)
    placed = {"device_map": args.device_map} if args.device_map else {}
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=args.model_dtype, attn_implementation=args.attention, **placed)
    try:
        paths = record(
            model,
            ids[: args.first],
            args.out,
            tokenizer=tokenizer,
            layers=args.layers and [int(layer) for layer in args.layers.split(",")],
            tokens=args.tokens,
            dtype=args.dtype,
            answer_start=args.answer_start,
            output_projection=args.output_projection,
            shard_bytes=args.shard_bytes,
        )
    except ValueError as error:
        raise SystemExit(str(error))
    for path in paths:
        print(f"{path}: {os.path.getsize(path) / 1e6:,.1f} MB")


if __name__ == "__main__":
    main()
