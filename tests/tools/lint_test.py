#!/usr/bin/env python3
"""The lints against small trees that break each of their rules once: a lint that finds nothing must
mean that there is nothing."""

import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import check_layers  # noqa: E402
import check_words  # noqa: E402


class Tree(unittest.TestCase):
    def setUp(self):
        self._directory = tempfile.TemporaryDirectory()
        self.addCleanup(self._directory.cleanup)
        self.root = pathlib.Path(self._directory.name)
        self.write("src/models/arch/a.cpp", '{.family = "orca", .hf_class = "OrcaForCausalLM"}\n')

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


class LayersTest(Tree):
    def setUp(self):
        super().setUp()
        for header in ("llm/a.h", ):
            self.write(f"include/{header}", "#include <vector>\n")
        for header in ("core/a.h", "quant/a.h", "tokenizer/a.h", "formats/a.h", "models/a.h",
                       "engine/a.h", "server/a.h", "kernels/kernels.h", "kernels/ref/ref.h",
                       "kernels/cpu/cpu.h"):
            self.write(f"src/{header}", "#pragma once\n")

    def problems(self, path, include):
        self.write(path, f"\n#include {include}\n")
        return check_layers.check_tree(self.root)

    def test_allowed_directions_pass(self):
        for path, include in (
                ("src/core/b.cpp", '"llm/a.h"'), ("src/quant/b.cpp", '"core/a.h"'),
                ("src/models/b.cpp", '"kernels/kernels.h"'), ("src/models/c.cpp", '"formats/a.h"'),
                ("src/kernels/dispatch.cpp", '"kernels/ref/ref.h"'),
                ("src/kernels/ref/x.cpp", '"kernels/ref/ref.h"'),
                ("src/kernels/cpu/x.cpp", '"kernels/kernels.h"'),
                ("src/server/b.cpp", "<boost/asio.hpp>"), ("src/cli/b.cpp", '"engine/a.h"'),
                ("include/llm/b.h", "<string_view>")):
            self.assertEqual(self.problems(path, include), [])

    def test_each_wrong_direction_is_named_with_its_line(self):
        for path, include, rule in (
                ("src/core/b.cpp", '"quant/a.h"', "core may include llm, not quant"),
                ("src/formats/b.cpp", '"tokenizer/a.h"', "not tokenizer"),
                ("src/kernels/b.cpp", '"formats/a.h"', "not formats"),
                ("src/server/b.cpp", '"models/a.h"', "not models"),
                ("src/cli/b.cpp", '"kernels/kernels.h"', "not kernels"),
                ("src/models/b.cpp", '"kernels/ref/ref.h"', "sees kernels/kernels.h only"),
                ("src/kernels/cpu/b.cpp", '"kernels/ref/ref.h"', "known to itself"),
                ("src/kernels/b.cpp", '"kernels/cpu/cpu.h"', "known to itself"),
                ("src/core/b.cpp", '"../quant/a.h"', "without '..'"),
                ("src/core/b.cpp", '"core/missing.h"', "no such file"),
                ("src/engine/b.cpp", "<boost/asio.hpp>", "boost is for server"),
                ("src/engine/b.cpp", "<CLI/CLI.hpp>", "CLI is for cli"),
                ("include/llm/b.h", '"core/a.h"', "not core"),
                ("include/llm/b.h", "<fmt/core.h>", "standard library only")):
            with self.subTest(path=path, include=include):
                problems = self.problems(path, include)
                (self.root / path).unlink()
                self.assertEqual(len(problems), 1, problems)
                self.assertTrue(problems[0].startswith(f"{path}:2: "), problems[0])
                self.assertIn(rule, problems[0])

    def test_a_new_folder_needs_a_row(self):
        self.assertIn("not in the table", self.problems("src/misc/b.cpp", '"core/a.h"')[0])

    def test_this_repository_has_the_folders(self):
        folders = {p.name for p in (ROOT / "src").iterdir() if p.is_dir()}
        self.assertLessEqual(folders, set(check_layers.ALLOWED))


class WordsTest(Tree):
    def problems(self, path, text):
        self.write(path, text)
        return check_words.check_tree(self.root)[0]

    def test_each_word_is_found(self):
        for path, code in (
                ("src/core/b.cpp", 'std::cout << "x";'), ("src/core/b.cpp", 'printf("x");'),
                ("src/engine/b.cpp", "std::fprintf (stderr, s);"),
                ("src/models/b.cpp", "std::abort();"), ("src/models/b.h", "exit(1);"),
                ("include/llm/b.h", 'throw std::runtime_error("x");'),
                ("src/cli/b.cpp", "throw 1;"), ("src/quant/b.cpp", 'fmt::print("x");'),
                ("src/engine/b.cpp", 'if (name == "orca") return;'),
                ("src/server/b.cpp", 'return "OrcaForCausalLM";')):
            with self.subTest(code=code):
                problems = self.problems(path, "\n" + code + "\n")
                (self.root / path).unlink()
                self.assertEqual(len(problems), 1, problems)
                self.assertTrue(problems[0].startswith(f"{path}:2: "), problems[0])

    def test_what_only_looks_like_it_passes(self):
        for path, code in (
                ("src/core/b.cpp", "// printf() and abort() are not for us\n/* throw */"),
                ("src/core/b.cpp", 'log("abort() or throw");'),
                ("src/core/b.cpp", "std::snprintf(buffer, n, s); on_exit_(1);"),
                ("src/core/b.cpp", "const char c = '\"'; // throw\n"),
                ("src/core/b.cpp", "auto n = 1'000'000; // throw\n"),
                ("src/core/b.cpp", 'auto s = R"(a "quote" throw)";'),
                ("src/core/check.cpp", "std::abort();"), ("src/cli/main.cpp", "std::exit(2);"),
                ("src/engine/b.cpp", '// the family "orca"\nlog("orca is loaded");'),
                ("src/tokenizer/b.cpp", 'if (model == "orca") return;')):
            with self.subTest(code=code):
                self.assertEqual(self.problems(path, code + "\n"), [])
                (self.root / path).unlink()

    def test_lengths(self):
        self.write("src/core/long.cpp", "\n" * 801)
        self.write("tests/core/longish.cpp", "\n" * 501)
        self.write("src/core/x_tables.inc", "\n" * 5000)
        self.write("src/core/fine.cpp", "\n" * 500)
        problems, warnings = check_words.check_tree(self.root)
        self.assertEqual(problems, ["src/core/long.cpp: 801 lines, at most 800: split it"])
        self.assertEqual(warnings, ["tests/core/longish.cpp: 501 lines, better below 500"])

    def test_the_names_come_from_the_architecture_files(self):
        self.assertIn("llama", check_words.architecture_names(ROOT))
        (self.root / "src/models/arch/a.cpp").unlink()
        self.assertEqual(len(check_words.check_tree(self.root)[0]), 1)


if __name__ == "__main__":
    unittest.main()
