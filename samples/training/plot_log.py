"""Draws log.csv as loss.svg (matplotlib).

    python plot_log.py log.csv loss.svg
"""

import csv
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "keyhole"  # the same file from the same log
import matplotlib.pyplot as plt  # noqa: E402

with open(sys.argv[1], newline="") as file:
    rows = list(csv.DictReader(file))
seconds = [float(row["seconds"]) for row in rows]
to_long = next(float(row["seconds"]) for row in rows if row["tokens_per_row"] == "1024")
valid = [(float(row["seconds"]), float(row["valid_bits_per_character"])) for row in rows if row["valid_bits_per_character"]]

figure, (prose, answer, bits) = plt.subplots(3, 1, figsize=(8, 8), sharex=True, constrained_layout=True)
prose.plot(seconds, [float(row["prose_loss"]) for row in rows], linewidth=0.8, color="#0b6e99")
prose.set_ylabel("prose, nats a token")
prose.set_ylim(2.2, 4.5)
answer.plot(seconds, [float(row["answer_loss"]) for row in rows], linewidth=0.8, color="#b3541e")
answer.set_yscale("log")
answer.set_ylabel("answers, nats a token")
bits.plot(*zip(*valid), marker="o", markersize=3, linewidth=0.8, color="#444444")
bits.set_ylabel("valid books, bits a character")
bits.set_xlabel("seconds of training")
for axes in (prose, answer, bits):
    axes.axvline(to_long, color="#999999", linewidth=0.8, linestyle="--")
    axes.grid(alpha=0.2)
prose.set_title("256 tokens a row, then (dashed line) 1,024", fontsize=10)
figure.savefig(sys.argv[2], metadata={"Date": None})
