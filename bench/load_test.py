"""The worker under load: throughput, time to first token and gaps between tokens, as its clients see them.

    python bench/load_test.py --model MODEL [--worker build/llm-worker] [--streams 1,2,4,8,16,32,64] [-- SERVE FLAGS]

Starts the worker on a loopback port and drives it in a closed loop: every one of N streams sends a job, reads its
tokens as they come, and sends the next one at once, until each has had `--jobs` jobs. Prompts are token ids of mixed
lengths, all different, so nothing comes from the prefix cache. Then the long prompt: while `--running` streams
generate, a prompt of `--long-prompt` tokens arrives; counted are the gaps of these streams before and while it is
processed, and how many of them are longer than `--max-token-gap-ms`.

Prints Markdown tables. Needs nothing but the standard library. The clients run on the same machine as the worker and
take some of its time.
"""

import argparse
import datetime
import json
import pathlib
import random
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from worker import Worker  # noqa: E402

PROMPT_TOKENS = (16, 64, 128, 256)


class Timeline:
    """When things happened to one job, as its client saw them."""

    def __init__(self):
        self.sent = time.monotonic()
        self.tokens = []  # times
        self.end = None   # the last event

    @property
    def first_token(self):
        return self.tokens[0] - self.sent

    @property
    def gaps(self):
        return [after - before for before, after in zip(self.tokens, self.tokens[1:])]


def run_job(worker, prompt, max_tokens, on_token=None):
    """Sends a job and reads its stream to the end."""
    timeline = Timeline()
    job = worker.submit(prompt=prompt, max_tokens=max_tokens, temperature=1.0, seed=len(prompt))
    connection, reply = worker.open_stream(job)
    try:
        for line in reply:
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line[len(b"data: "):])
            if event["type"] == "token":
                timeline.tokens.append(time.monotonic())
                if on_token is not None:
                    on_token(timeline)
            elif event["type"] in ("end", "error"):
                timeline.end = event
    finally:
        connection.close()
    if timeline.end is None or timeline.end["type"] != "end":
        raise RuntimeError(f"a job failed: {timeline.end}")
    return timeline


def in_parallel(tasks):
    """Runs the tasks, each in a thread; their results in order. The first failure is raised."""
    results = [None] * len(tasks)
    failures = []

    def run(index):
        try:
            results[index] = tasks[index]()
        except Exception as error:  # noqa: BLE001 - reported by the caller
            failures.append(error)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results


def percentile(values, percent):
    """The smallest value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def shown(values):
    """p50 / p95 / p99 in milliseconds."""
    if not values:
        return "-"
    return " / ".join(f"{1000 * percentile(values, percent):,.0f}" for percent in (50, 95, 99))


class LoadTest:
    def __init__(self, worker, arguments):
        self.worker = worker
        self.arguments = arguments
        self.random = random.Random(arguments.seed)
        self.vocabulary = worker.get("/v1/model")[1]["vocab_size"]

    def prompt(self, length):
        return [self.random.randrange(3, self.vocabulary) for _ in range(length)]

    def closed_loop(self, streams):
        """A row of the table."""
        arguments = self.arguments
        prompts = [[self.prompt(PROMPT_TOKENS[(stream + job) % len(PROMPT_TOKENS)])
                    for job in range(arguments.jobs)] for stream in range(streams)]

        def client(own):
            started = time.monotonic()
            done = [run_job(self.worker, prompt, arguments.max_tokens) for prompt in own]
            return done, sum(len(timeline.tokens) for timeline in done) / (time.monotonic() - started)

        begin = time.monotonic()
        clients = in_parallel([lambda own=own: client(own) for own in prompts])
        seconds = time.monotonic() - begin
        timelines = sum((done for done, _ in clients), [])
        rates = [rate for _, rate in clients]
        generated = sum(len(timeline.tokens) for timeline in timelines)
        prompt_tokens = sum(len(prompt) for own in prompts for prompt in own)
        gaps = sum((timeline.gaps for timeline in timelines), [])
        return (f"| {streams} | {len(timelines)} | {generated / seconds:.1f} "
                f"| {min(rates):.1f} / {max(rates):.1f} | {prompt_tokens / seconds:.0f} "
                f"| {shown([t.first_token for t in timelines if t.tokens])} | {shown(gaps)} |")

    def long_prompt(self):
        """Rows of the second table: gaps before and during the long prompt, and its own time."""
        arguments = self.arguments
        limit = arguments.max_token_gap_ms / 1000
        warm = threading.Semaphore(0)
        stop = threading.Event()

        def on_token(timeline):
            if len(timeline.tokens) == arguments.warm_tokens:
                warm.release()

        def stream():
            timelines = []
            while not stop.is_set():
                timelines.append(run_job(self.worker, self.prompt(32), arguments.running_tokens, on_token))
            return timelines

        times = {}

        def arrive():
            for _ in range(arguments.running):
                warm.acquire()
            times["begin"] = time.monotonic()
            try:
                long = run_job(self.worker, self.prompt(arguments.long_prompt), 1)
            finally:
                stop.set()
            times["end"] = time.monotonic()
            return long

        *running, long = in_parallel([stream] * arguments.running + [arrive])
        before, during = [], []
        for timeline in sum(running, []):
            for start, end in zip(timeline.tokens, timeline.tokens[1:]):
                if end <= times["begin"]:
                    before.append(end - start)
                elif end <= times["end"]:
                    during.append(end - start)
        rows = []
        for name, gaps in (("before", before), ("while it is processed", during)):
            over = sum(gap > limit for gap in gaps)
            longest = f"{1000 * max(gaps):,.0f}" if gaps else "-"
            rows.append(f"| {name} | {len(gaps)} | {shown(gaps)} | {longest} | {over} |")
        return rows, long.first_token


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--worker", default=str(ROOT / "build/llm-worker"))
    parser.add_argument("--model", required=True)
    parser.add_argument("--streams", default="1,2,4,8,16,32,64",
                        type=lambda text: [int(part) for part in text.split(",") if part],
                        help="numbers of concurrent streams, each at most 256; empty = skip the closed loop")
    parser.add_argument("--jobs", type=int, default=2, help="jobs per stream")
    parser.add_argument("--max-tokens", type=int, default=32, help="tokens per job")
    parser.add_argument("--max-token-gap-ms", type=float, default=200, help="the limit the worker is given")
    parser.add_argument("--long-prompt", type=int, default=4000, help="tokens; 0 = skip that part")
    parser.add_argument("--running", type=int, default=4, help="streams that run when the long prompt arrives")
    parser.add_argument("--running-tokens", type=int, default=200, help="tokens per job of these streams")
    parser.add_argument("--warm-tokens", type=int, default=20, help="tokens of each before the prompt arrives")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("serve_flags", nargs="*", help="after --: further flags of serve")
    arguments = parser.parse_args()
    if any(not 1 <= streams <= 256 for streams in arguments.streams):
        parser.error("--streams: each must be 1..=256")
    return arguments


def main():
    arguments = parse_arguments()
    flags = ["--max-token-gap-ms", str(arguments.max_token_gap_ms), "--max-queue", "512",
             "--max-prompt-chars", "1000000", *arguments.serve_flags]
    with Worker(arguments.worker, arguments.model, *flags) as worker:
        test = LoadTest(worker, arguments)
        model = worker.get("/v1/model")[1]
        print(f"{datetime.date.today()}, {model['model']} {model['dtype']}, {model['instruction_set']}, "
              f"{model['threads']} threads, up to {model['max_sequences']} jobs at once, "
              f"serve {' '.join(flags)}\n")
        run_job(worker, test.prompt(300), 16)  # the engine measures how fast the machine is
        if arguments.streams:
            print("| streams | jobs | generated tokens/s | of the slowest / fastest stream | prompt tokens/s "
                  "| first token, ms (p50 / p95 / p99) | gap, ms (p50 / p95 / p99) |")
            print("|---|---|---|---|---|---|---|")
        for streams in arguments.streams:
            print(test.closed_loop(streams), flush=True)
        if arguments.long_prompt > 0:
            rows, seconds = test.long_prompt()
            print(f"\nA prompt of {arguments.long_prompt} tokens arrives while {arguments.running} streams run; "
                  f"its first token comes after {seconds:.1f} s.\n")
            print(f"| gaps of the running streams | number | ms (p50 / p95 / p99) | longest | over "
                  f"{arguments.max_token_gap_ms:g} ms |")
            print("|---|---|---|---|---|")
            print("\n".join(rows))


if __name__ == "__main__":
    main()
