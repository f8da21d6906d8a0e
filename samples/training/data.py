"""Training data: prose as one long array of ids, and task rows streamed from Node processes."""

import queue
import subprocess
import threading
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

IGNORED, PROSE, ANSWER = 0, 1, 2  # as in rows.ts
ROWS_AT_ONCE = 256

_tokenizer: Tokenizer | None = None


def _load(path: str) -> None:
    global _tokenizer
    _tokenizer = Tokenizer.from_file(path)


def _encode(text: str) -> np.ndarray:
    return np.array(_tokenizer.encode(text, add_special_tokens=False).ids, dtype=np.uint16)


def encode_books(folder: Path, tokenizer: Path, processes: int) -> tuple[np.ndarray, int]:
    """All books of a folder as ids, one after the other, and their number of characters."""
    texts = [path.read_text() for path in sorted(folder.glob("*.txt"))]
    pieces = [text[start : start + 20000] for text in texts for start in range(0, len(text), 20000)]
    with Pool(processes, _load, (str(tokenizer),)) as pool:
        return np.concatenate(pool.map(_encode, pieces, chunksize=16)), sum(map(len, texts))


class TaskRows:
    """Rows from `processes` Node processes, taken in turn, so that the order is always the same."""

    def __init__(self, script: Path, books: Path, tokenizer: Path, length: int, seed: int, processes: int):
        self.length = length
        self._nodes = [
            subprocess.Popen(
                ["node", str(script), "rows", "--books", str(books / "train"), "--tokenizer", str(tokenizer)]
                + ["--length", str(length), "--seed", str(seed + number)],
                stdout=subprocess.PIPE,
            )
            for number in range(processes)
        ]
        self._closed = False
        self._turn = 0
        self._queues: list[queue.Queue] = [queue.Queue(maxsize=16) for _ in self._nodes]
        for node, rows in zip(self._nodes, self._queues):
            threading.Thread(target=self._read, args=(node, rows), daemon=True).start()

    def _read(self, node: subprocess.Popen, rows: queue.Queue) -> None:
        # A thread and a queue a process: a process whose pipe is full stands still.
        size = ROWS_AT_ONCE * (self.length + 1) * 3
        while not self._closed:
            data = node.stdout.read(size)
            rows.put(data)
            if len(data) < size:
                return

    def next(self) -> tuple[np.ndarray, np.ndarray]:
        """256 rows: ids [256, length + 1] uint16 and kinds [256, length + 1] uint8."""
        data = self._queues[self._turn].get()
        self._turn = (self._turn + 1) % len(self._queues)
        if len(data) < ROWS_AT_ONCE * (self.length + 1) * 3:
            raise RuntimeError("a stream of task rows ended early")
        rows = np.frombuffer(data, np.uint8).reshape(ROWS_AT_ONCE, -1)
        ids = rows[:, : 2 * (self.length + 1)].copy().view(np.uint16)
        return ids, rows[:, 2 * (self.length + 1) :]

    def close(self) -> None:
        self._closed = True
        for node in self._nodes:
            node.kill()
