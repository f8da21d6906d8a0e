// Weights that are 32-bit floats.

alias Stored = vec4f;

fn numbers(stored: Stored) -> vec4f { return stored; }
