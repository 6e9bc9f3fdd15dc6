#!/usr/bin/env python3
"""Conversations through the real binary: llm-worker template, run --chat, messages over HTTP.
LLM_WORKER names the binary."""

import json
import os
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from command_line import DEMO, WORKER, CommandLineTest  # noqa: E402
from worker import Worker, text  # noqa: E402

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": " Hello "}]
PROMPT = ("<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
          "<|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>"
          "<|start_header_id|>assistant<|end_header_id|>\n\n")


def as_json(value):
    return json.dumps(value).encode()


class TemplateTest(CommandLineTest):
    def render(self, messages, *args):
        return self.ok("template", "--model", DEMO, "--messages", "-", *args,
                       stdin=as_json(messages)).decode()

    def test_prints_exactly_the_prompt(self):
        self.assertEqual(self.render(MESSAGES), PROMPT)
        self.assertEqual(self.render(MESSAGES, "--no-generation-prompt"),
                         PROMPT[:PROMPT.rindex("<|start_header_id|>assistant")])
        self.assertEqual(json.loads(self.render(MESSAGES, "--json")), {"prompt": PROMPT})

    def test_the_last_message_can_be_continued(self):
        messages = MESSAGES + [{"role": "assistant", "content": "Once upon"}]
        self.assertEqual(self.render(messages, "--continue"), PROMPT + "Once upon")

    def test_directory_with_several_templates(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "tokenizer_config.json").write_text(json.dumps({
                "bos_token": {"content": "<s>"},
                "chat_template": [{"name": "default", "template": "config"},
                                  {"name": "tool_use", "template": "{{ bos_token }}{{ tools|tojson }}"}]}))
            (folder / "chat_template.jinja").write_text("separate\n")
            (folder / "additional_chat_templates").mkdir()
            (folder / "additional_chat_templates/rag.jinja").write_text("{{ documents[0].text }}")
            (folder / "tools.json").write_text('[{"z": 1, "a": 2}]')
            (folder / "documents.json").write_text('[{"text": "D"}]')

            def render(*args):
                return self.ok("template", "--model", folder, "--messages", "-", *args,
                               stdin=as_json(MESSAGES)).decode()

            self.assertEqual(render(), "separate", "the file of its own goes before the configuration")
            self.assertEqual(render("--tools", folder / "tools.json"), '<s>[{"z": 1, "a": 2}]')
            self.assertEqual(render("--template-name", "rag", "--documents", folder / "documents.json"), "D")
            line = self.fails(1, "template", "--model", folder, "--messages", "-", "--template-name", "x",
                              stdin=as_json(MESSAGES))
            self.assertIn("default, rag, tool_use", line)

    def test_errors_name_the_template_and_the_line(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "chat_template.jinja"
            path.write_text("{{ bos_token }}\n{{ raise_exception('roles must alternate') }}")
            line = self.fails(1, "template", "--model", folder, "--messages", "-", stdin=as_json(MESSAGES))
            self.assertEqual(line, f"error: {path}: line 2: roles must alternate")
        self.assertIn("messages[0] must have a role",
                      self.fails(1, "template", "--model", DEMO, "--messages", "-", stdin=b'[{"content":"x"}]'))
        self.assertIn("no chat template", self.fails(
            1, "template", "--model", tempfile.gettempdir(), "--messages", "-", stdin=as_json(MESSAGES)))


class RunTest(CommandLineTest):
    def test_chat_gives_the_prompt_one_begin_token(self):
        ids = self.json("tokenize", "--model", DEMO, "--no-special", stdin=PROMPT.encode())
        begin = self.json("tokenize", "--model", DEMO, "--no-special", "--text", "<|begin_of_text|>")
        self.assertEqual(ids[:1], begin)
        report = self.json("run", "--model", DEMO, "--chat", "--system", "Be brief.", "--prompt", "Hello",
                           "--max-tokens", "3", "--json")
        self.assertEqual(report["prompt_tokens"], len(ids))
        same = self.json("run", "--model", DEMO, "--messages", "-", "--max-tokens", "3", "--json",
                         "--seed", "1", stdin=as_json(MESSAGES))
        self.assertEqual(same["prompt_tokens"], len(ids))

    def test_options_that_do_not_belong_together_are_bad_usage(self):
        for args in (["--messages", "x.json", "--prompt", "y"], ["--prompt", "x", "--system", "y"],
                     ["--prompt", "x", "--tools", "y"], ["--prompt", "x", "--continue"]):
            with self.subTest(args=args):
                self.fails(2, "run", "--model", DEMO, *args)


class ServerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.worker = Worker(WORKER, DEMO).__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.worker.__exit__()

    def test_apply_template(self):
        status, reply = self.worker.post("/apply-template", {"messages": MESSAGES})
        self.assertEqual((status, reply), (200, {"prompt": PROMPT}))
        status, reply = self.worker.post("/apply-template", {
            "messages": MESSAGES, "add_generation_prompt": False, "chat_template_kwargs": {"colour": 1}})
        self.assertEqual(status, 200, reply)
        self.assertEqual(reply["ignored"], ["chat_template_kwargs.colour"])
        self.assertNotIn("assistant", reply["prompt"])

    def test_apply_template_refuses(self):
        for body, part in (({}, "messages is required"),
                           ({"messages": []}, "at least one message"),
                           ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
                            "messages[0].content[0]"),
                           ({"messages": MESSAGES, "tools": [{"type": "function"}]}, "no place for them"),
                           ({"messages": MESSAGES, "add_generation_prompt": True,
                             "continue_final_message": True}, "cannot both be true")):
            with self.subTest(body=body):
                status, reply = self.worker.post("/apply-template", body)
                self.assertEqual(status, 400, reply)
                self.assertIn(part, reply["errors"][0]["message"])

    def test_a_job_of_messages_is_the_job_of_its_prompt(self):
        fields = {"max_tokens": 12, "temperature": 0}
        chat = self.worker.infer(messages=MESSAGES, chat_template_kwargs={"colour": 1}, **fields)
        self.assertIn("chat_template_kwargs.colour", chat[0]["ignored"])
        status, reply = self.worker.post("/tokenize", {"content": PROMPT})
        self.assertEqual(status, 200)
        plain = self.worker.infer(prompt=reply["tokens"], **fields)
        self.assertEqual(text(chat), text(plain))
        self.assertEqual(chat[-2]["prompt_tokens"], len(reply["tokens"]))


if __name__ == "__main__":
    unittest.main()
