"""How far the kernels of each instruction set are from the exact ones: perplexities of quantised files.

    python bench/compare_accuracy.py [--worker build/llm-worker] [--stories 40] [--types q8_0,q4_k_m]

The demo model, with rows padded to a multiple of 256 (widen_model.py), is quantised to each type; each file is
measured with `LLM_ISA=ref`, which multiplies the file's weights by activations as they are and sums in f64, and
with every instruction set that the processor offers, whose kernels round activations to 8 bits. The text is
drawn from the grammar that the demo model was trained on, from a seed that training did not use. Prints a
Markdown table; the exit code is 1 when a difference exceeds --limit percent.

Needs nothing but the standard library.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

from widen_model import widen_model

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools/demo_model"))

from stories import make_story  # noqa: E402

TYPES = ("f32", "f16", "bf16", "q8_0", "q6_k", "q5_1", "q5_0", "q5_k_m", "q5_k_s", "q4_1", "q4_0", "q4_k_m",
         "q4_k_s", "iq4_nl")
SETS = ("avx512_amx", "avx512_bf16", "avx512", "avx2", "baseline")
SEED = 2026


def stories(count, seed=SEED):
    rng = random.Random(seed)
    return "\n\n".join(make_story(rng) for _ in range(count)) + "\n"


class Comparison:
    """Perplexities of one text, of files made from one model in `folder`."""

    def __init__(self, worker, model, text, context, folder, threads=0):
        self.worker, self.model, self.context, self.threads = worker, model, context, threads
        self.folder = pathlib.Path(folder)
        self.text = self.folder / "text.txt"
        self.text.write_text(text)
        self.scored = 0

    def run(self, *args, isa=""):
        return subprocess.run([self.worker, *map(str, args)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, env={**os.environ, "LLM_ISA": isa})

    def offered(self):
        """The instruction sets of this processor."""
        def runs(isa):
            done = self.run("perplexity", "--model", ROOT / "models/demo", "--context", 8, "--text",
                            "Once upon a time there was a cat.", isa=isa)
            return done.returncode == 0
        return [isa for isa in SETS if runs(isa)]

    def quantise(self, name):
        file = self.folder / f"{name}.gguf"
        done = self.run("quantize", self.model, file, "--type", name, "--force")
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return file

    def perplexity(self, file, isa):
        done = self.run("perplexity", "--model", file, "--file", self.text, "--context", self.context,
                        "--threads", self.threads, "--json", isa=isa)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        report = json.loads(done.stdout)
        self.scored = report["tokens_scored"]
        return report["perplexity"]

    def of_type(self, name, sets):
        """The exact perplexity, and by how many percent that of each instruction set differs."""
        file = self.quantise(name)
        exact = self.perplexity(file, "ref")
        found = {isa: 100 * (self.perplexity(file, isa) / exact - 1) for isa in sets}
        file.unlink()
        return exact, found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--worker", default=str(ROOT / "build/llm-worker"))
    parser.add_argument("--model", help="a directory, taken as it is, instead of the demo model")
    parser.add_argument("--text", help="a file, instead of stories")
    parser.add_argument("--stories", type=int, default=40)
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--types", default=",".join(TYPES))
    parser.add_argument("--limit", type=float, default=0.1, help="percent")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model
        if model is None:
            model = pathlib.Path(folder) / "wide"
            widen_model(ROOT / "models/demo", model)
        text = pathlib.Path(arguments.text).read_text() if arguments.text else stories(arguments.stories)
        comparison = Comparison(arguments.worker, model, text, arguments.context, folder, arguments.threads)
        sets = comparison.offered()
        print("| type | ref | " + " | ".join(sets) + " |")
        print("|---|---|" + "---|" * len(sets), flush=True)
        worst = 0
        for name in arguments.types.split(","):
            exact, found = comparison.of_type(name, sets)
            print(f"| {name} | {exact:.4f} | " + " | ".join(f"{found[isa]:+.3f} %" for isa in sets) + " |",
                  flush=True)
            worst = max(worst, *map(abs, found.values()))
        print(f"\n{comparison.scored} tokens scored; the largest difference is {worst:.3f} %.")
    return 0 if worst <= arguments.limit else 1


if __name__ == "__main__":
    sys.exit(main())
