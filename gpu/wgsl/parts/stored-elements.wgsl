// Weights that are 32-bit floats, one by one or in vectors, as the kernel's elements are.

alias Stored = Element;

fn numbers(stored: Stored) -> Element { return stored; }
