#!/usr/bin/env python3
"""The worker as a fleet manager starts it: its flags, the heartbeats it sends, who may call it."""

import datetime
import hashlib
import http.server
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time
import unittest
import uuid

from worker import Worker

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("LLM_WORKER", str(ROOT / "build/llm-worker"))
DEMO = str(ROOT / "models/demo")
NO_KEY = {k: v for k, v in os.environ.items() if k != "LLORCH_API_TOKEN"}
WITH_KEY = {**NO_KEY, "LLORCH_API_TOKEN": "key-of-the-environment"}
PATIENCE = 60


class Hive:
    """Takes heartbeats on a port of its own and answers each with `status`."""

    def __init__(self, status=200):
        hive = self
        self.beats = []  # (path, body)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hive.beats.append((self.path, json.loads(body)))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def statuses(self):
        return [body["worker"]["status"] for _, body in self.beats]

    def wait_for(self, status):
        deadline = time.monotonic() + PATIENCE
        while status not in self.statuses():
            assert time.monotonic() < deadline, (status, self.beats)
            time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class FleetTest(unittest.TestCase):
    def test_every_flag_of_a_fleet_manager_and_the_whole_heartbeat(self):
        port = free_port()
        with Hive() as hive:
            with Worker(BINARY, DEMO, "--worker-id", "w-7", "--model-ref", "hf:org/demo",
                        "--backend", "cpu", "--device", "cpu:0", "--hive-url", hive.url + "/fleet",
                        port=port, environment=NO_KEY) as worker:
                self.assertEqual(worker.port, port)
                hive.wait_for("ready")
                self.assertEqual(worker.get("/v1/model")[1]["model"], "hf:org/demo")
                for name in ("hf:org/demo", DEMO, "demo"):
                    started = worker.infer(prompt="One", max_tokens=1, model=name)[0]
                    self.assertEqual(started["model"], "hf:org/demo")
                self.assertEqual(
                    worker.post("/v1/jobs", {"operation": "infer", "prompt": "x", "model": "no"})[0], 404)
                worker.process.send_signal(signal.SIGTERM)
                self.assertEqual(worker.process.wait(timeout=PATIENCE), 0)
            statuses = hive.statuses()
        self.assertIn(statuses[0], ("starting", "ready"), "a small model may be there already")
        self.assertEqual(statuses[-2:], ["stopping", "stopped"])
        version = subprocess.run([BINARY, "--version"], capture_output=True,
                                 text=True).stdout.strip()
        for path, body in hive.beats:
            self.assertEqual(path, "/fleet/v1/worker-heartbeat")
            self.assertEqual(set(body), {"worker", "timestamp"})
            self.assertRegex(body["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$")
            sent = datetime.datetime.fromisoformat(body["timestamp"].replace("Z", "+00:00"))
            now = datetime.datetime.now(datetime.timezone.utc)
            self.assertLess(abs((now - sent).total_seconds()), 600)
            status = body["worker"].pop("status")
            self.assertIn(status, ("starting", "ready", "busy", "stopping", "stopped"))
            self.assertEqual(body["worker"], {
                "id": "w-7", "model_id": "hf:org/demo", "device": "cpu:0", "port": port,
                "implementation": "llm-worker", "version": version})

    def test_a_queen_hears_the_same_and_an_id_is_made_up(self):
        with Hive() as queen:
            with Worker(BINARY, DEMO, "--queen-url", queen.url, "--device", "0",
                        environment=NO_KEY):
                queen.wait_for("ready")
            path, body = queen.beats[-1]
        self.assertEqual(path, "/v1/worker-heartbeat")
        self.assertEqual(str(uuid.UUID(body["worker"]["id"])), body["worker"]["id"])
        self.assertEqual(body["worker"]["model_id"], "demo")

    def test_no_heartbeat_route_is_said_once_and_serving_goes_on(self):
        with Hive(404) as hive:
            with Worker(BINARY, DEMO, "--hive-url", hive.url, environment=NO_KEY) as worker:
                hive.wait_for("ready")
                self.assertEqual(worker.infer(prompt="One", max_tokens=1)[-1], "[DONE]")
            log = "".join(worker.log)
        self.assertEqual(log.count("(404)"), 1, log)

    def test_a_model_that_cannot_be_loaded_stops_the_worker_and_the_hive_hears_it(self):
        with Hive() as hive:
            failed = subprocess.run([BINARY, "serve", "--model", "/nowhere", "--port", "0",
                                     "--hive-url", hive.url], capture_output=True, text=True,
                                    timeout=PATIENCE, env=NO_KEY)
            self.assertEqual(failed.returncode, 1)
            self.assertIn("/nowhere", failed.stderr)
            hive.wait_for("stopped")
        self.assertEqual(hive.statuses()[-1], "stopped")


class AccessTest(unittest.TestCase):
    def usage_error(self, *flags, environment=NO_KEY):
        done = subprocess.run([BINARY, "serve", "--model", DEMO, "--port", "0", *flags],
                              capture_output=True, text=True, timeout=PATIENCE, env=environment)
        self.assertEqual(done.returncode, 2, done.stderr)
        return done.stderr

    def test_local_mode_needs_no_key_and_listens_on_loopback(self):
        with Worker(BINARY, DEMO, "--local-mode", environment=NO_KEY) as worker:
            self.assertEqual(worker.get("/v1/jobs")[0], 200)
            self.assertIn("listening on 127.0.0.1:", "".join(worker.log))

    def test_local_mode_refuses_what_contradicts_it(self):
        self.assertIn("LLORCH_API_TOKEN", self.usage_error("--local-mode", environment=WITH_KEY))
        self.assertIn("--api-key", self.usage_error("--local-mode", "--api-key", "k"))
        self.assertIn("loopback", self.usage_error("--local-mode", "--host", "0.0.0.0"))

    def test_other_addresses_need_a_key(self):
        self.assertIn("loopback", self.usage_error("--host", "0.0.0.0"))
        with Worker(BINARY, DEMO, "--host", "0.0.0.0", environment=WITH_KEY) as worker:
            self.assertEqual(worker.get("/v1/jobs")[0], 401)

    def test_without_a_key_only_loopback_is_bound(self):
        with Worker(BINARY, DEMO, environment=NO_KEY) as worker:
            self.assertEqual(worker.get("/v1/jobs")[0], 200)
            self.assertIn("listening on 127.0.0.1:", "".join(worker.log))

    def test_the_flag_and_the_variable_give_the_key_and_the_log_six_digits_of_it(self):
        for flags, environment, key in ((["--api-key", "key-of-the-flag"], NO_KEY, "key-of-the-flag"),
                                        ([], WITH_KEY, "key-of-the-environment")):
            with self.subTest(flags=flags):
                with Worker(BINARY, DEMO, *flags, environment=environment) as worker:
                    self.assertEqual(worker.get("/v1/jobs"), (401, {"error": {
                        "code": "MISSING_API_KEY", "message": "Missing API key"}}))
                    self.assertEqual(
                        worker.request("GET", "/v1/jobs", headers={"x-api-key": key[:-1]}),
                        (401, {"error": {"code": "INVALID_API_KEY",
                                         "message": "Invalid or missing API key"}}))
                    for header in ({"x-api-key": key}, {"Authorization": f"Bearer {key}"}):
                        self.assertEqual(worker.request("GET", "/v1/jobs", headers=header)[0], 200)
                log = "".join(worker.log)
                digest = hashlib.sha256(key.encode()).hexdigest()
                self.assertIn(digest[:6], log)
                self.assertNotIn(digest[:7], log)
                self.assertNotIn(key, log)

    def test_flags_that_cannot_be_honoured(self):
        self.assertIn("--backend cuda", self.usage_error("--backend", "cuda"))
        self.assertIn("--device cuda:0", self.usage_error("--device", "cuda:0"))
        self.assertIn("http://", self.usage_error("--hive-url", "https://hive"))
        self.assertIn("cannot both", self.usage_error("--hive-url", "http://h", "--queen-url",
                                                      "http://q"))


if __name__ == "__main__":
    unittest.main()
