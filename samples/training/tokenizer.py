"""Trains the tokenizer of the bundled model: byte-level BPE, digits split, 2,048 entries.

    python tokenizer.py --books BOOKS --out tokenizer.json

Deterministic: the same books give the same file. BOOKS holds the folders train/ and valid/ of .txt files; only train/ is read.
"""

import argparse
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

VOCABULARY = 2048
BEGIN, END = "<s>", "</s>"  # ids 0 and 1


def train_tokenizer(books: Path) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    # Digits first: every digit is its own token, so that a number reads the same whatever stands around it.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[BEGIN, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [path.read_text() for path in sorted((books / "train").glob("*.txt"))]
    # A third of every book, in pieces spread over it, is plenty for 2,048 entries.
    pieces = (text[start : start + 5000] for text in texts for start in range(0, len(text), 15000))
    tokenizer.train_from_iterator(pieces, trainer)
    return tokenizer


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--books", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    train_tokenizer(arguments.books).save(str(arguments.out))
