"""What an HTTP library would not do: clients that vanish, stall or stop half-way, on plain sockets.
And what tests of such clients ask the worker afterwards."""

import json
import re
import socket
import struct
import time

PATIENCE = 60  # seconds; only a worker that is stuck takes so long
RESET, FIN = "reset", "fin"


def wait_for(condition, what):
    """Polls until the condition gives something true, and returns that."""
    deadline = time.monotonic() + PATIENCE
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {PATIENCE} s in vain: {what}")
        time.sleep(0.01)
    return result


def connect(worker, receive_buffer=None):
    connection = socket.socket()
    if receive_buffer is not None:  # before connecting, so that the window is never larger
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(PATIENCE)
    connection.connect(("127.0.0.1", worker.port))
    return connection


def request_bytes(method, path, body=None, *headers):
    lines = [f"{method} {path} HTTP/1.1", "Host: t", *headers]
    data = b""
    if body is not None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
    return "\r\n".join([*lines, "", ""]).encode() + data


def read_until(connection, marker):
    data = b""
    while marker not in data:
        part = connection.recv(65536)
        if not part:
            raise AssertionError(f"the connection ended before {marker!r}: {data!r}")
        data += part
    return data


def read_to_end(connection):
    """Everything until the worker closes; a reset after the data is an end like another."""
    data = bytearray()
    try:
        while part := connection.recv(65536):
            data += part
    except ConnectionError:
        pass
    return bytes(data)


def reset(connection):
    """Closes so that the other side gets a reset instead of an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def metrics(worker):
    """Values by name without the prefix, such as `requests_total{outcome="eos"}`."""
    connection = connect(worker)
    with connection:
        connection.sendall(request_bytes("GET", "/metrics", None, "Connection: close"))
        text = read_to_end(connection).decode()
    assert text.startswith("HTTP/1.1 200 "), text[:200]
    return {name: float(value)
            for name, value in re.findall(r"^llm_worker_(\S+) (\S+)$", text, re.MULTILINE)}


def cancelled(worker):
    return metrics(worker)['requests_total{outcome="cancelled"}']


def is_idle(worker):
    now = metrics(worker)
    return not any(now[name] for name in ("running_sequences", "queue_depth", "preempted_sequences",
                                          "kv_pages_used"))


def wait_until_idle(worker):
    wait_for(lambda: is_idle(worker), "nothing runs, waits or holds pages")


class RawStream:
    """A client that reads a stream of tokens: of a job, or of a completion of the OpenAI API."""

    FIRST_TOKEN = {"jobs": b'"type":"token"', "openai": b'"choices":'}
    ENDS = {"jobs": b'"type":"end"', "openai": b'"finish_reason":"length"'}

    def __init__(self, worker, api, prompt, end_tokens, max_tokens=900, seed=1):
        self.api, self.job = api, None
        self.connection = connect(worker)
        if api == "jobs":
            self.job = worker.submit(prompt=prompt, max_tokens=max_tokens, seed=seed,
                                     logit_bias={str(token): -100 for token in end_tokens})
            self.connection.sendall(request_bytes("GET", f"/v1/jobs/{self.job}/stream"))
        else:
            self.connection.sendall(request_bytes("POST", "/v1/completions", {
                "prompt": prompt, "max_tokens": max_tokens, "seed": seed, "ignore_eos": True,
                "stream": True}))
        self.data = read_until(self.connection, b"\r\n\r\n")
        assert self.data.startswith(b"HTTP/1.1 200 "), self.data

    def read_first_token(self):
        marker = self.FIRST_TOKEN[self.api]
        if marker not in self.data:
            self.data += read_until(self.connection, marker)

    def read_rest(self):
        """All that was sent, up to the end of the stream or of the connection."""
        while not self.data.endswith(b"\r\n0\r\n\r\n"):
            part = self.connection.recv(65536)
            if not part:
                break
            self.data += part
        self.connection.close()
        return self.data

    def count_tokens(self):
        return self.data.count(b'"type":"token"')

    def vanish(self, how):
        if how == RESET:
            return reset(self.connection)
        # A plain end, which must be enough for the worker to close its side too.
        self.connection.shutdown(socket.SHUT_WR)
        read_to_end(self.connection)
        return self.connection.close()
