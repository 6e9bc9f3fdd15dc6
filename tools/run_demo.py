#!/usr/bin/env python3
"""Starts a worker on a free port, posts one job, prints the tokens as they come, stops the worker.

    tools/run_demo.py WORKER MODEL [--prompt TEXT]
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

DEFAULT_PROMPT = "Once upon a time"
START_SECONDS = 120


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_ready(base, worker):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if worker.poll() is not None:
            raise RuntimeError(f"the worker ended with exit code {worker.returncode}")
        try:
            with urllib.request.urlopen(f"{base}/v1/ready", timeout=5) as reply:
                if json.load(reply).get("ready"):
                    return
        except (urllib.error.URLError, OSError):
            pass  # not listening yet, or still loading
        time.sleep(0.05)
    raise RuntimeError(f"the worker was not ready within {START_SECONDS} seconds")


def post_job(base, prompt):
    body = json.dumps({"operation": "infer", "prompt": prompt, "max_tokens": 200,
                       "temperature": 0.7}).encode()
    request = urllib.request.Request(f"{base}/v1/jobs", data=body,
                                     headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.load(reply)


def stream(base, job):
    """Prints the job's tokens as their events arrive; returns the end event."""
    end = None
    with urllib.request.urlopen(base + job["sse_url"], timeout=120) as reply:
        for line in reply:
            if not line.startswith(b"data: "):
                continue
            data = line[len(b"data: "):].strip()
            if data == b"[DONE]":
                break
            event = json.loads(data)
            if event["type"] == "token":
                print(event["t"], end="", flush=True)
            elif event["type"] == "end":
                end = event
            elif event["type"] == "error":
                raise RuntimeError(f"the job failed: {event['code']}: {event['message']}")
    if end is None:
        raise RuntimeError("the stream stopped before its end event")
    return end


def stop(worker):
    if worker.poll() is None:
        worker.send_signal(signal.SIGTERM)
    try:
        worker.wait(timeout=30)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def describe(end):
    seconds = end["decode_time_ms"] / 1000
    speed = f", {end['tokens_out'] / seconds:.0f} tokens/s" if seconds > 0 else ""
    return f"{end['prompt_tokens']} prompt tokens, {end['tokens_out']} generated{speed}, " \
           f"stopped by {end['stop_reason']}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("worker")
    parser.add_argument("model")
    parser.add_argument("--prompt", default=DEFAULT_PROMPT)
    args = parser.parse_args()
    base = f"http://127.0.0.1:{free_port()}"
    # The worker's log goes to a file: the terminal is for the text.
    log_path = os.path.join(os.path.dirname(args.worker), "run_demo.log")
    environment = {k: v for k, v in os.environ.items() if k != "LLORCH_API_TOKEN"}
    with open(log_path, "wb") as log:
        worker = subprocess.Popen(
            [args.worker, "serve", "--model", args.model, "--port", base.rsplit(":", 1)[1]],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
    try:
        wait_until_ready(base, worker)
        print(f"== POST {base}/v1/jobs, then its event stream\n", file=sys.stderr)
        print(args.prompt, end="", flush=True)
        end = stream(base, post_job(base, args.prompt))
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        print(f"\nerror: {error} (the worker's log: {log_path})", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    finally:
        stop(worker)
    print(f"\n\n== {describe(end)}\n", file=sys.stderr)
    print(f"""Next:
  {args.worker} run --model {args.model} --prompt "The little dog"    without a server
  ./run --serve                                      a server on port 8080; in another terminal:
    job=$(curl -s http://127.0.0.1:8080/v1/jobs -H 'Content-Type: application/json' \\
      -d '{{"operation": "infer", "prompt": "The cat sat"}}' | sed 's/.*"sse_url":"\\([^"]*\\)".*/\\1/')
    curl -N http://127.0.0.1:8080$job
  ./test                                             all tests""", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
