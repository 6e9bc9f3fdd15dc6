"""Starts the real worker for a test and talks to it with the standard library alone."""

import http.client
import json
import re
import subprocess
import threading
import time


class Worker:
    """`with Worker(binary, model) as worker:` serves on a free port until the block ends."""

    def __init__(self, binary, model, *flags, port=0, environment=None):
        self.process = subprocess.Popen(
            [binary, "serve", "--model", model, "--port", str(port), *flags],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True, errors="surrogateescape", env=environment)
        self.log = []
        self.port = self._read_port()

    def _read_port(self):
        for line in self.process.stderr:
            self.log.append(line)
            found = re.search(r"listening on \S+:(\d+)", line)
            if found:
                self.reader = threading.Thread(target=self._keep_reading, daemon=True)
                self.reader.start()
                return int(found.group(1))
        raise RuntimeError("the worker did not start: " + "".join(self.log))

    def _keep_reading(self):
        for line in self.process.stderr:
            self.log.append(line)

    def __enter__(self):
        deadline = time.time() + 120
        try:
            while not self.get("/v1/ready")[1]["ready"]:
                if time.time() > deadline:
                    raise TimeoutError
                time.sleep(0.05)
        except (OSError, http.client.HTTPException) as error:
            self.process.kill()
            raise RuntimeError("the worker is not ready: " + "".join(self.log)) from error
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=60)
        self.reader.join(timeout=10)
        self.process.stderr.close()

    def raw(self, method, path, body=None, headers=None):
        """Status, headers and bytes of the reply."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            sent = dict(headers or {})
            if body is not None and "Content-Type" not in sent:
                sent["Content-Type"] = "application/json"
            if isinstance(body, (dict, list)):
                body = json.dumps(body)
            connection.request(method, path, body, sent)
            reply = connection.getresponse()
            return reply.status, reply.headers, reply.read()
        finally:
            connection.close()

    def request(self, method, path, body=None, headers=None):
        """Status and JSON of the reply."""
        status, _, text = self.raw(method, path, body, headers)
        return status, json.loads(text) if text else None

    def metrics(self):
        """The figures of /metrics by their names, labels included."""
        status, _, text = self.raw("GET", "/metrics")
        assert status == 200, status
        lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, body, headers=None):
        return self.request("POST", path, body, headers)

    def submit(self, **fields):
        """Id of a new infer job."""
        status, reply = self.post("/v1/jobs", {"operation": "infer", **fields})
        assert status == 200, (status, reply)
        return reply["job_id"]

    def open_stream(self, job_id, query=""):
        """Connection and reply, whose lines can be read one by one."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request("GET", f"/v1/jobs/{job_id}/stream{query}")
        reply = connection.getresponse()
        assert reply.status == 200, reply.status
        return connection, reply

    def stream(self, job_id, query=""):
        """All events of a job; the last one is the text "[DONE]"."""
        connection, reply = self.open_stream(job_id, query)
        try:
            assert reply.getheader("Content-Type") == "text/event-stream"
            events = []
            for number, line in enumerate(reply.read().decode("utf-8", "strict").split("\n")):
                if number % 2 == 0 and line:
                    assert line.startswith("data: "), line
                    data = line[len("data: "):]
                    events.append(data if data == "[DONE]" else json.loads(data))
                else:
                    assert line == "", f"only data lines and empty lines: {line!r}"
            return events
        finally:
            connection.close()

    def infer(self, **fields):
        """Events of a new job."""
        return self.stream(self.submit(**fields))


def tokens(events):
    return [event for event in events if isinstance(event, dict) and event["type"] == "token"]


def text(events):
    return "".join(event["t"] for event in tokens(events))
