"""This worker beside other engines on the same file: alternating runs, medians and ratios.

    python bench/compare.py --model FILE.gguf --peer llama.cpp=/path/to/llama-bench \\
        --batched llama.cpp=/path/to/llama-batched-bench [--rounds 5] [--json OUT.json]

A peer is a program that takes llama-bench's options and prints its JSON (llama.cpp, ik_llama.cpp); options of
its own may follow, as in `--peer "ik=/path/to/llama-bench -rtr 1"`. A batched peer takes llama-batched-bench's
options. Every round runs each program once, ours first in even rounds and last in odd ones, so that a change of
the machine's speed meets all of them. Prints a Markdown table: tokens per second, medians over the rounds, and
our ratio to the best peer of each row.

Needs nothing but the standard library. Run it on a machine that does nothing else.
"""

import argparse
import datetime
import json
import pathlib
import shlex
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def output_of(command, with_errors=False):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{shlex.join(command)} failed ({done.returncode}):\n{done.stderr[-2000:]}")
    return done.stdout + done.stderr if with_errors else done.stdout


class Ours:
    name = "llm-worker"

    def __init__(self, arguments):
        self.command = [arguments.worker, "bench", "--model", arguments.own_model or arguments.model,
                        "--threads", str(arguments.threads), "--repetitions", "1", "--json",
                        "-p", str(arguments.prompt), "-n", str(arguments.generate),
                        "-b", f"1,{arguments.batch}" if arguments.batch > 1 else "1",
                        *shlex.split(arguments.own_options)]
        self.machine = []

    def run(self):
        report = json.loads(output_of(self.command))
        self.machine += [(row["machine"]["read_gb_per_s"], row["machine"]["peak_gflop_per_s"])
                         for row in report["rows"]]
        self.description = f"{report['dtype']}, {report['instruction_set']}, {report['threads']} threads"
        return {row["test"]: row["tokens_per_s"] for row in report["rows"]}


class Peer:
    """A program with llama-bench's options."""

    def __init__(self, name, command, arguments):
        self.name = name
        self.command = [*command, "-m", arguments.model, "-t", str(arguments.threads), "-r", "1", "-o", "json",
                        "-p", str(arguments.prompt), "-n", str(arguments.generate)]

    def run(self):
        # Some print warnings between the lines of their JSON, which all begin with a space or a bracket.
        lines = [line for line in output_of(self.command).splitlines() if line[:1] in " []{}"]
        rows = {}
        for test in json.loads("\n".join(lines)):
            prompt, generate = test["n_prompt"], test["n_gen"]
            if prompt and generate:
                continue
            rows[f"pp{prompt}" if prompt else f"tg{generate}"] = test["avg_ts"]
        return rows


class BatchedPeer:
    """A program with llama-batched-bench's options: the speed of decoding alone."""

    def __init__(self, name, command, arguments):
        self.name = name
        self.test = f"tg{arguments.generate} x {arguments.batch}"
        context = arguments.batch * (arguments.generate + 32)
        self.command = [*command, "-m", arguments.model, "-t", str(arguments.threads), "-c", str(context),
                        "-npp", "16", "-ntg", str(arguments.generate), "-npl", str(arguments.batch)]

    def run(self):
        table = [[cell.strip() for cell in line.strip().strip("|").split("|")]
                 for line in output_of(self.command, with_errors=True).splitlines()  # ik_llama.cpp's is there
                 if line.startswith("|")]
        if len(table) == 3 and "S_TG t/s" in table[0]:  # heading, rule, result
            return {self.test: float(table[2][table[0].index("S_TG t/s")])}
        raise RuntimeError(f"no result from {shlex.join(self.command)}")


def table(programs, results):
    """Rows of Markdown, and the same as data. results: (program, test) -> speeds."""
    names = list(dict.fromkeys(program.name for program in programs))
    peers = names[1:]
    tests = list(dict.fromkeys(test for _, test in results))
    lines = [f"| tokens/s | {' | '.join(names)} | ratio to the best peer |", "|---" * (len(names) + 2) + "|"]
    data = []
    for test in tests:
        medians = {name: statistics.median(results[name, test]) for name in names if (name, test) in results}
        rivals = [medians[name] for name in peers if name in medians]
        ratio = medians[Ours.name] / max(rivals) if rivals and Ours.name in medians else None
        cells = [f"{medians[name]:.1f}" if name in medians else "–" for name in names]
        lines.append(f"| {test} | {' | '.join(cells)} | {f'{ratio:.2f}' if ratio else '–'} |")
        data.append({"test": test, "medians": medians, "ratio": ratio,
                     "runs": {name: results[name, test] for name in medians}})
    return lines, data


def named_command(text):
    name, separator, command = text.partition("=")
    if not separator or not shlex.split(command):
        raise argparse.ArgumentTypeError(f"{text!r}: expected NAME=PROGRAM")
    return name, shlex.split(command)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True, help="a GGUF file that all of them read")
    parser.add_argument("--own-model", help="another form of it for this worker, e.g. the directory")
    parser.add_argument("--own-options", default="", help="further options of our bench, in one text")
    parser.add_argument("--worker", default=str(ROOT / "build/llm-worker"))
    parser.add_argument("--peer", type=named_command, action="append", default=[], metavar="NAME=PROGRAM")
    parser.add_argument("--batched", type=named_command, action="append", default=[], metavar="NAME=PROGRAM")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("-p", "--prompt", type=int, default=512, help="tokens of the prompt")
    parser.add_argument("-n", "--generate", type=int, default=128, help="tokens to decode")
    parser.add_argument("-b", "--batch", type=int, default=8, help="sequences decoded at once; 1 = skip")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", help="file for all figures")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds: must be 1 or more")
    return arguments


def main():
    arguments = parse_arguments()
    ours = Ours(arguments)
    programs = [ours, *(Peer(name, command, arguments) for name, command in arguments.peer)]
    if arguments.batch > 1:
        programs += [BatchedPeer(name, command, arguments) for name, command in arguments.batched]
    runs = {}
    for round_number in range(arguments.rounds):
        for program in programs if round_number % 2 == 0 else reversed(programs):
            for test, speed in program.run().items():
                runs.setdefault((program.name, test), []).append(speed)
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)

    lines, data = table(programs, runs)
    reads, peak = (statistics.median(values) for values in zip(*ours.machine))
    print(f"{datetime.date.today()}, {pathlib.Path(arguments.model).name}: {ours.description}, medians of "
          f"{arguments.rounds} alternating runs; the machine reads {reads:.1f} GB/s and computes {peak:.0f} GFLOP/s\n")
    print("\n".join(lines))
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(
            {"date": str(datetime.date.today()), "model": arguments.model, "read_gb_per_s": reads,
             "peak_gflop_per_s": peak, "rows": data}, indent=2) + "\n")


if __name__ == "__main__":
    main()
