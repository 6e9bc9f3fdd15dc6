"""Speed of llm-worker's tokenizers beside Hugging Face tokenizers', on one thread, in alternation.

    pip install tokenizers
    python bench/compare_tokenizer_speed.py BENCH TOKENIZERS [--rounds 5] [--megabytes 1] [--only NAME ...]

BENCH is build/bench/bench/llm-tokenizer-bench (preset bench); TOKENIZERS a folder of folders with a tokenizer.json,
as tools/fixtures/tokenizers_from_gguf.py writes it. For every tokenizer and every kind of text of
tools/fixtures/natural_text.py, both take turns; printed are the medians in MB/s of processor time, and their ratio.
Hugging Face is measured with encode_batch_fast, its quickest call, and with the text cut into documents of
about 10 kB, which it likes best; llm-worker encodes the text as a whole.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools/fixtures"))

import tokenizers  # noqa: E402

import natural_text  # noqa: E402

DOCUMENT = 10_000


def run_bench(binary: str, tokenizer_root: Path, texts: Path, name: str) -> dict[str, float]:
    """MB/s by "encode KIND" and "decode KIND"."""
    done = subprocess.run([binary, str(tokenizer_root), str(texts), f"--benchmark_filter=/{name}/",
                           "--benchmark_format=json", "--benchmark_min_time=0.2"], capture_output=True, check=True)
    speeds = {}
    for run in json.loads(done.stdout)["benchmarks"]:
        what, _, kind = run["name"].split("/")
        speeds[f"{what} {kind}"] = run["bytes_per_second"] / 1e6
    return speeds


def documents(text: str) -> list[str]:
    """The text in pieces that end with a line, or after three times the wanted length anywhere."""
    pieces: list[str] = []
    at = 0
    while at < len(text):
        end = text.find("\n", at + DOCUMENT)
        end = len(text) if end < 0 else end + 1
        end = min(end, at + 3 * DOCUMENT)
        pieces.append(text[at:end])
        at = end
    return pieces


def run_hugging_face(tokenizer: tokenizers.Tokenizer, texts: dict[str, str]) -> dict[str, float]:
    """The same."""
    speeds = {}
    for kind, text in texts.items():
        pieces, megabytes = documents(text), len(text.encode()) / 1e6
        start = time.process_time()
        encoded = tokenizer.encode_batch_fast(pieces)
        middle = time.process_time()
        tokenizer.decode_batch([one.ids for one in encoded])
        end = time.process_time()
        speeds |= {f"encode {kind}": megabytes / (middle - start), f"decode {kind}": megabytes / (end - middle)}
    return speeds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bench")
    parser.add_argument("tokenizers", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=float, default=1.0)
    parser.add_argument("--only", nargs="*", default=[])
    args = parser.parse_args()
    names = args.only or sorted(p.parent.name for p in args.tokenizers.glob("*/tokenizer.json"))
    print(f"tokenizers {tokenizers.__version__}; medians of {args.rounds} alternating rounds; MB/s, ours / theirs = ratio")
    print("| | | " + " | ".join(natural_text.KINDS) + " |\n|---|---|" + "---|" * len(natural_text.KINDS))
    lowest = 1e9
    with tempfile.TemporaryDirectory() as folder:
        texts = {kind: natural_text.text(kind, int(args.megabytes * 1e6)) for kind in natural_text.KINDS}
        for kind, text in texts.items():
            (Path(folder) / f"{kind}.txt").write_text(text, newline="")
        for name in names:
            tokenizer = tokenizers.Tokenizer.from_file(str(args.tokenizers / name / "tokenizer.json"))
            ours, theirs = [], []
            for _ in range(args.rounds):
                ours.append(run_bench(args.bench, args.tokenizers, Path(folder), name))
                theirs.append(run_hugging_face(tokenizer, texts))
            for what in ("encode", "decode"):
                cells = []
                for kind in texts:
                    a, b = (median(one[f"{what} {kind}"] for one in side) for side in (ours, theirs))
                    cells.append(f"{a:.0f} / {b:.1f} = {a / b:.0f}")
                    if what == "encode":
                        lowest = min(lowest, a / b)
                print(f"| {name} | {what} | " + " | ".join(cells) + " |", flush=True)
    print(f"lowest ratio of encoding: {lowest:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
