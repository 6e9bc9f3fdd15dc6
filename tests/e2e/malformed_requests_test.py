#!/usr/bin/env python3
"""Ten thousand malformed requests, made from a fixed seed, on the real worker's socket: it answers every
whole request with a proper reply that is no defect of its own, and afterwards it is as before."""

import concurrent.futures
import json
import os
import pathlib
import random
import socket
import unittest

from raw_client import (connect, metrics, read_to_end, request_bytes, reset, wait_for,
                        wait_until_idle)
from worker import Worker, tokens

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("LLM_WORKER", str(ROOT / "build/llm-worker"))
PLAIN = {k: v for k, v in os.environ.items() if k not in ("LLM_ISA", "LLORCH_API_TOKEN")}
KNOWN = {"prompt": "Once upon a time", "max_tokens": 8, "seed": 7, "logprobs": 2}

# Requests in which only the body is wrong leave the connection open: many are sent at once.
BODIES, BODIES_PER_CONNECTION = 8000, 40
# Others end their connection.
HEADS = 2000

CHAT = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "user", "content": [{"type": "text", "text": "And?"}]}]
SAMPLING = {"max_tokens": 2, "temperature": 1.0, "top_p": 0.9, "top_k": 5, "seed": 3, "stop": ["x", "y"],
            "logit_bias": {"5": 1.5}, "repetition_penalty": 1.1, "frequency_penalty": 0.5}
REQUESTS = [
    ("/v1/jobs", {"operation": "infer", "prompt": "The cat", "logprobs": 1, "dtype": "f32", **SAMPLING}),
    ("/v1/jobs", {"operation": "infer", "messages": CHAT, "max_tokens": 1}),
    ("/v1/inference", {"prompt": [5, 6, 7], "hive_id": "h", **SAMPLING}),
    ("/v1/chat/completions", {"messages": CHAT, "logprobs": True, "top_logprobs": 2, "n": 2, **SAMPLING}),
    ("/v1/chat/completions", {"messages": CHAT, "stream": True, "stream_options": {"include_usage": True},
                              "max_tokens": 1}),
    ("/v1/completions", {"prompt": ["a", "b"], "echo": True, "logprobs": 1, "stream": True, **SAMPLING}),
    ("/tokenize", {"content": "The cat", "add_special": True}),
    ("/detokenize", {"tokens": [5, 6, 7]}),
    ("/apply-template", {"messages": CHAT, "chat_template_kwargs": {"x": [1, {"y": None}]}}),
]
VALUES = [None, True, False, 0, -1, 1e308, -0.5, 2 ** 63, 2 ** 64, -2 ** 63, "", "x" * 200, "\u0000\ud83d",
          "f16", [], {}, [[]], [None], [1, 2], {"a": {}}, [{"role": "user"}], "NaN"]
PIECES = [b"\x00", b"\xff\xfe", b"\r\n", b"\n", b" ", b":", b"{", b"}", b"[" * 70, b'"', b"\\u12", b"-", b"1e999",
          b"NaN", b"%00", b"/../", b"HTTP/9.9", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 1\r\n",
          b"Content-Length: 99999999999999999999\r\n", b"Expect: 100-continue\r\n", b"x" * 500]


def change_value(rng, value):
    """`value` with one of its parts replaced, left out, or added, at any depth."""
    if not isinstance(value, (dict, list)) or not value or rng.random() < 0.2:
        return rng.choice(VALUES)
    changed = value.copy()
    key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
    kind = rng.randrange(4)
    if kind == 0:
        del changed[key]
    elif kind == 1 and isinstance(value, dict):
        changed[rng.choice(["prompt", "messages", "colour", "n", ""])] = rng.choice(VALUES)
    else:
        changed[key] = change_value(rng, value[key])
    return changed


def change_bytes(rng, data):
    """`data` with a few bytes replaced, cut out, put in or repeated."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        begin = rng.randrange(len(data) + 1)
        end = min(len(data), begin + rng.randrange(12))
        kind = rng.randrange(4)
        if kind == 0:
            data[begin:end] = rng.randbytes(end - begin)
        elif kind == 1:
            del data[begin:end]
        elif kind == 2:
            data[begin:begin] = rng.choice(PIECES)
        else:
            data[begin:begin] = data[begin:end]
    return bytes(data)


def wrong_body(rng):
    path, body = rng.choice(REQUESTS)
    if rng.random() < 0.6:
        for _ in range(rng.randint(1, 3)):
            body = change_value(rng, body)
        return path, json.dumps(body).encode()
    return path, change_bytes(rng, json.dumps(body).encode())


def wrong_request(rng):
    if rng.random() < 0.1:
        return rng.randbytes(rng.randint(1, 400))
    path, body = rng.choice(REQUESTS)
    data = rng.choice([request_bytes("POST", path, body), request_bytes("GET", "/v1/model"),
                       request_bytes("GET", "/v1/jobs/job-1/stream?from=0", None, "X-Strict: 1"),
                       request_bytes("DELETE", "/v1/jobs/job-1"), request_bytes("OPTIONS", "*")])
    if rng.random() < 0.02:
        data = data.replace(b"\r\n", b"\r\nX-Long: " + b"x" * 20000 + b"\r\n", 1)
    return data[:rng.randrange(len(data))] if rng.random() < 0.2 else change_bytes(rng, data)


def read_chunks(data, place):
    """A chunked body at `place`, and where it ends."""
    body = b""
    while True:
        line_end = data.index(b"\r\n", place)
        size = int(data[place:line_end], 16)
        place = line_end + 2 + size + 2
        assert data[place - 2:place] == b"\r\n", "a chunk ends with CRLF"
        if size == 0:
            return body, place
        body += data[line_end + 2:place - 2]


def parse_replies(data):
    """Statuses of all replies. Raises when one of them is not whole or not what it says it is."""
    statuses, place = [], 0
    while place < len(data):
        head_end = data.index(b"\r\n\r\n", place)
        status_line, *lines = data[place:head_end].decode("ascii").split("\r\n")
        version, status, _ = status_line.split(" ", 2)
        assert version == "HTTP/1.1", status_line
        place = head_end + 4
        if status == "100":
            continue
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        assert "x-request-id" in headers, lines
        if "transfer-encoding" in headers:
            body, place = read_chunks(data, place)
            assert body.endswith(b"data: [DONE]\n\n"), body[-200:]
        elif "content-length" in headers:
            body = data[place:place + int(headers["content-length"])]
            assert len(body) == int(headers["content-length"]), "a whole body"
            place += len(body)
            if headers["content-type"] == "application/json":
                json.loads(body)
        else:
            assert status == "204", status_line
        statuses.append(int(status))
    return statuses


class MalformedRequestsTest(unittest.TestCase):
    def send_bodies(self, seed):
        """Statuses of the replies to requests that are HTTP but for their bodies: one for each."""
        rng = random.Random(f"body {seed}")
        requests = []
        for number in range(BODIES_PER_CONNECTION):
            path, body = wrong_body(rng)
            last = ["Connection: close"] if number + 1 == BODIES_PER_CONNECTION else []
            requests.append(request_bytes("POST", path, body, *last))
        data = b"".join(requests)
        self.assertLess(len(data), 1 << 16, "a client that sends more during a stream is dropped")
        with connect(self.worker) as connection:
            connection.sendall(data)
            return parse_replies(read_to_end(connection))

    def send_request(self, seed):
        """Statuses of the replies to one request whose framing may be wrong: any number of them."""
        rng = random.Random(f"request {seed}")
        connection = connect(self.worker)
        with connection:
            try:
                connection.sendall(wrong_request(rng))
                if rng.random() < 0.2:
                    reset(connection)
                    return []
                connection.shutdown(socket.SHUT_WR)
            except ConnectionError:  # refused before all of it was sent
                pass
            data = read_to_end(connection)
        # A worker that sees the client leave may stop in the middle of a reply.
        return [int(line.split(b" ")[1]) for line in data.split(b"\r\n")
                if line.startswith(b"HTTP/1.1 ")]

    def test_ten_thousand_of_them(self):
        with Worker(BINARY, str(ROOT / "models/demo"), "--max-tokens-limit", "8", "--job-ttl", "0",
                    "--kv-cache", "4MiB", environment=PLAIN) as self.worker:
            known = tokens(self.worker.infer(**KNOWN))
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                list(pool.map(self.send_bodies, range(-10, 0)))  # until memory has been used once
                wait_until_idle(self.worker)
                before = metrics(self.worker)["resident_memory_bytes"]
                bodies = pool.map(self.send_bodies, range(BODIES // BODIES_PER_CONNECTION))
                heads = pool.map(self.send_request, range(HEADS))
                bodies, heads = list(bodies), list(heads)

            self.assertEqual({len(statuses) for statuses in bodies}, {BODIES_PER_CONNECTION})
            statuses = [status for replies in bodies + heads for status in replies]
            counts = {status: statuses.count(status) for status in sorted(set(statuses))}
            print(f"replies by status: {counts}")
            self.assertLessEqual(set(counts), {200, 204, 400, 404, 405, 408, 413, 415, 422, 429, 431, 503})
            for status in (200, 400, 404, 415):
                self.assertGreater(counts.get(status, 0), 0, "requests reach far enough to be of use")

            self.assertEqual(self.worker.get("/health"), (200, {"status": "healthy"}))
            wait_until_idle(self.worker)
            wait_for(lambda: metrics(self.worker)["resident_memory_bytes"] < before + (32 << 20),
                     f"no more than {before} bytes resident")
            self.assertEqual(tokens(self.worker.infer(**KNOWN)), known)
            self.assertIsNone(self.worker.process.poll())
            self.assertTrue("".join(self.worker.log).isascii(), "nothing raw of theirs is in the log")


if __name__ == "__main__":
    unittest.main()
