#!/usr/bin/env python3
"""tools/make_models_doc.py finds what the page would leave out or invent."""

import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import make_models_doc as doc  # noqa: E402

README = """\
# Test fixtures

## models/

| tensor | what |
|---|---|
| `tokens` | ids |

| name | what it is about |
|---|---|
| llama-a, llama-b | two `heads` |

| name | directory | what it is about |
|---|---|---|
| llama-a-old | llama-a | older packing |

## quants/

| other | table |
|---|---|
"""


class DescriptionsTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.addCleanup(setattr, doc, "README", doc.README)
        doc.README = pathlib.Path(directory.name) / "README.md"
        doc.README.write_text(README)

    def test_rows_are_those_of_the_models_section_without_headers(self):
        self.assertEqual(doc.descriptions(), [(["llama-a", "llama-b"], "two `heads`"),
                                              (["llama-a-old"], "older packing")])

    def test_every_fixture_must_be_described_and_exist(self):
        directories, files = {"llama-a": {}, "llama-b": {}}, {"llama-a.gguf": {}, "llama-a-old.gguf": {}}
        doc.check_descriptions(doc.descriptions(), directories, files)
        with self.assertRaisesRegex(SystemExit, "does not describe llama-c"):
            doc.check_descriptions(doc.descriptions(), {**directories, "llama-c": {}}, files)
        with self.assertRaisesRegex(SystemExit, "does not describe llama-b-new"):
            doc.check_descriptions(doc.descriptions(), directories, {**files, "llama-b-new.gguf": {}})
        with self.assertRaisesRegex(SystemExit, "describes llama-b, which is not"):
            doc.check_descriptions(doc.descriptions(), {"llama-a": {}}, files)


class ArchitectureTest(unittest.TestCase):
    def test_an_architecture_needs_a_checkpoint_and_a_file_of_its_gguf_name(self):
        specs = [{"model_type": "llama", "hf_class": "L", "gguf_architecture": "llama"}]
        directories = {"llama-a": {"model_type": "llama", "runnable": True}}
        files = {"llama-a.gguf": {"reference": "llama-a", "architecture": "llama", "runnable": True}}
        doc.Architecture("llama", specs, directories, files).check()
        with self.assertRaisesRegex(SystemExit, "no checkpoint"):
            doc.Architecture("llama", specs, {}, files).check()
        with self.assertRaisesRegex(SystemExit, "no GGUF file proves"):
            doc.Architecture("llama", specs, directories, {}).check()

    def test_a_file_belongs_to_the_longest_directory_that_it_begins_with(self):
        directories = ["qwen2", "qwen2-moe", "llama"]
        self.assertEqual(doc.reference_of("qwen2-moe.gguf", directories), "qwen2-moe")
        self.assertEqual(doc.reference_of("qwen2-moe-old.gguf", directories), "qwen2-moe")
        self.assertEqual(doc.reference_of("qwen2-yarn.gguf", directories), "qwen2")


if __name__ == "__main__":
    unittest.main()
