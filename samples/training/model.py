"""The bundled model in PyTorch: a Llama-architecture decoder of 3.5 million parameters.

Each kind of weight matrix is one parameter stacked over the layers, so that the optimiser handles all layers in one batch.
"""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
import json

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file, save_file


@dataclass(frozen=True)
class Shape:
    vocabulary: int = 2048
    width: int = 192
    layers: int = 8
    heads: int = 6
    key_value_heads: int = 2
    feed_forward: int = 512
    context: int = 1024
    rope_theta: float = 10000.0
    epsilon: float = 1e-5

    @property
    def head_width(self) -> int:
        return self.width // self.heads


# Parameter name here -> tensor name in the Hugging Face layout.
MATRICES = {
    "query": "self_attn.q_proj",
    "key": "self_attn.k_proj",
    "value": "self_attn.v_proj",
    "output": "self_attn.o_proj",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}
NORMS = {"attention_norm": "input_layernorm", "feed_forward_norm": "post_attention_layernorm"}


def rope(x: torch.Tensor, positions: torch.Tensor, theta: float) -> torch.Tensor:
    """Rotates x [..., tokens, d] by positions [tokens] (or [..., tokens]); half-split convention."""
    half = x.shape[-1] // 2
    frequency = theta ** (-torch.arange(half, device=x.device, dtype=torch.float32) / half)
    angle = positions.float()[..., None] * frequency
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


class Decoder(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        key_value_width = shape.key_value_heads * shape.head_width
        # Matrices that write to the residual stream start smaller, so that it does not grow with depth.
        small = 0.02 / math.sqrt(2 * shape.layers)
        self.embedding = nn.Parameter(torch.randn(shape.vocabulary, shape.width) * 0.02)
        self.query = self._matrix(shape.width, shape.width, 0.02)
        self.key = self._matrix(key_value_width, shape.width, 0.02)
        self.value = self._matrix(key_value_width, shape.width, 0.02)
        self.output = self._matrix(shape.width, shape.width, small)
        self.gate = self._matrix(shape.feed_forward, shape.width, 0.02)
        self.up = self._matrix(shape.feed_forward, shape.width, 0.02)
        self.down = self._matrix(shape.width, shape.feed_forward, small)
        self.attention_norm = nn.Parameter(torch.ones(shape.layers, shape.width))
        self.feed_forward_norm = nn.Parameter(torch.ones(shape.layers, shape.width))
        self.final_norm = nn.Parameter(torch.ones(shape.width))

    def _matrix(self, rows: int, columns: int, deviation: float) -> nn.Parameter:
        return nn.Parameter(torch.randn(self.shape.layers, rows, columns) * deviation)

    def norm(self, x: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
        return F.rms_norm(x, (x.shape[-1],), gain.to(x.dtype), self.shape.epsilon)

    def layers(self, dtype: torch.dtype) -> list[dict[str, torch.Tensor]]:
        """The weights of each layer, matrices in `dtype`."""
        stacks = {name: getattr(self, name).to(dtype).unbind() for name in [*MATRICES, *NORMS]}
        return [{name: stacks[name][i] for name in stacks} for i in range(self.shape.layers)]

    def project(self, layer: dict[str, torch.Tensor], x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Un-rotated q [..., H, tokens, d], k and v [..., G, tokens, d] of hidden states x [..., tokens, width]."""
        h = self.norm(x, layer["attention_norm"])
        joined = F.linear(h, torch.cat([layer["query"], layer["key"], layer["value"]]))
        heads = joined.unflatten(-1, (-1, self.shape.head_width)).transpose(-3, -2)
        groups = self.shape.key_value_heads
        return heads.split([self.shape.heads, groups, groups], -3)

    def finish(self, layer: dict[str, torch.Tensor], x: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
        """The rest of a layer: output projection and feed-forward. attended [..., H, tokens, d]."""
        x = x + F.linear(attended.transpose(-3, -2).flatten(-2), layer["output"])
        h = self.norm(x, layer["feed_forward_norm"])
        return x + F.linear(F.silu(F.linear(h, layer["gate"])) * F.linear(h, layer["up"]), layer["down"])

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(self.norm(x, self.final_norm), self.embedding.to(x.dtype))

    def forward(self, ids: torch.Tensor, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
        """Logits [batch, tokens, vocabulary] of ids [batch, tokens], causal, full attention."""
        x = self.embedding.to(dtype)[ids]
        positions = torch.arange(ids.shape[1], device=ids.device)
        for layer in self.layers(dtype):
            q, k, v = self.project(layer, x)
            q, k = rope(q, positions, self.shape.rope_theta), rope(k, positions, self.shape.rope_theta)
            x = self.finish(layer, x, F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True))
        return self.logits(x)


def save_model(model: Decoder, folder: Path) -> None:
    """Writes config.json and model.safetensors (F16) in the Hugging Face layout."""
    shape = model.shape
    tensors = {"model.embed_tokens.weight": model.embedding, "model.norm.weight": model.final_norm}
    for name, target in [*MATRICES.items(), *NORMS.items()]:
        for i, weight in enumerate(getattr(model, name)):
            tensors[f"model.layers.{i}.{target}.weight"] = weight
    halves = {name: weight.detach().cpu().to(torch.float16).contiguous() for name, weight in tensors.items()}
    for name, weight in halves.items():
        if not weight.isfinite().all():
            raise ValueError(f"{name} does not fit in 16 bits")
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.width,
        "intermediate_size": shape.feed_forward,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.key_value_heads,
        "head_dim": shape.head_width,
        "max_position_embeddings": shape.context,
        "rms_norm_eps": shape.epsilon,
        "rope_theta": shape.rope_theta,
        "tie_word_embeddings": True,
        "hidden_act": "silu",
        "bos_token_id": 0,
        "eos_token_id": 1,
        "attention_bias": False,
        "mlp_bias": False,
        "torch_dtype": "float16",
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(halves, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def load_model(folder: Path, device: str) -> Decoder:
    """The saved model with its 16-bit weights as 32-bit numbers."""
    config = json.loads((folder / "config.json").read_text())
    shape = Shape(
        vocabulary=config["vocab_size"],
        width=config["hidden_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        key_value_heads=config["num_key_value_heads"],
        feed_forward=config["intermediate_size"],
        context=config["max_position_embeddings"],
        rope_theta=config["rope_theta"],
        epsilon=config["rms_norm_eps"],
    )
    tensors = {name: weight.float() for name, weight in load_file(folder / "model.safetensors").items()}
    model = Decoder(shape)
    with torch.no_grad():
        model.embedding.copy_(tensors["model.embed_tokens.weight"])
        model.final_norm.copy_(tensors["model.norm.weight"])
        for name, target in [*MATRICES.items(), *NORMS.items()]:
            for i, weight in enumerate(getattr(model, name)):
                weight.copy_(tensors[f"model.layers.{i}.{target}.weight"])
    return model.to(device).requires_grad_(False).eval()
