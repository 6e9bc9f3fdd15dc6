#!/usr/bin/env python3
"""Writes docs/models.md: which models run, and what was proven of each.

The page is made from what it speaks of, so that it cannot differ from it: the architectures that the worker
lists, the fixtures that the parity tests find, what the worker says about each of them, their descriptions
in tests/fixtures/README.md, and the published configurations of tests/fixtures/configs.

    tools/make_models_doc.py [--worker PROGRAM]            # writes the page
    tools/make_models_doc.py --check [--worker PROGRAM]    # exit code 1 if it is out of date
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/models.md"
MODELS = ROOT / "tests/fixtures/models"
CONFIGS = ROOT / "tests/fixtures/configs"
QUANTS = ROOT / "tests/fixtures/quants"
README = ROOT / "tests/fixtures/README.md"

HEAD = """\
# Models

Written by `tools/make_models_doc.py` from the specs in `src/models/arch/`, the fixtures and the tests; `./test`
fails when it is out of date.

An architecture runs when `config.json` names its class and `model_type`, or GGUF its `general.architecture`.
`llm-worker inspect MODEL` shows what it makes of a model, layer by layer.

## How it is proven

Every checkpoint and every GGUF file listed below is loaded by `tests/parity` and run with every instruction set
of the machine. The reference is Hugging Face transformers in float32, itself compared with a second, independent
forward pass in float64 when the fixtures are made; inputs are longer than windows, original lengths and the like,
so that these are crossed.

| type | what holds | test |
|---|---|---|
| safetensors as f32, GGUF | all logits of all positions within 1e-4 of the largest; 64 greedy tokens equal | `reference_test.cpp` |
| safetensors as f16, bf16 | logits within a bound that follows from the type and the number of layers | `dtype_test.cpp` |
| all of them | the same bits in one step or many, beside other sequences, on any pages, with 1, 2 or 3 threads | `invariants_test.cpp` |

`tests/models/published_configs_test.cpp` proves that config.json of the published models named below is read as
their model cards say, `tests/models/gguf_config_test.cpp` the same of GGUF metadata as different times and writers
spell it. Weights in GGUF may be f32, f16, bf16 or one of the block types
{quants}
(proven by `tests/quant` and `tests/kernels`); the files below hold f32.

What cannot be computed rightly is refused with an error that names the key: ALiBi (Falcon-RW), `qk_layernorm` of
Phi, `rope_interleave: false` of DeepSeek, rope types other than linear, dynamic, llama3, yarn and longrope, weights
quantised in safetensors other than 8-bit floats with a factor per block, GGUF files whose layers differ in heads or
widths.

## Overview

"""
PATTERN_ROW = re.compile(r"^\| ([a-z0-9.*, -]+) \|(?: ([a-z0-9.-]+) \|)? (.+) \|$")


def worker_json(worker, *args):
    done = subprocess.run([worker, *map(str, args), "--json"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{worker} {' '.join(map(str, args))}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def descriptions():
    """Rows of the tables under "## models/" of the README: (names, text)."""
    text = README.read_text(encoding="utf-8")
    section = text[text.index("\n## models/"):]
    section = section[:section.index("\n## ", 1)]
    lines = section.splitlines()
    rows = []
    for line, following in zip(lines, [*lines[1:], ""]):
        row = PATTERN_ROW.match(line)
        if row and not following.startswith("|--"):
            rows.append((row[1].split(", "), row[3]))
    return rows


def reference_of(file, directories):
    """The checkpoint whose weights a GGUF file holds."""
    stem = file.removesuffix(".gguf")
    return max((d for d in directories if stem == d or stem.startswith(d + "-")), key=len)


def read_fixtures(worker):
    """(directories, GGUF files): name -> what inspect says, with "model_type" and of files "reference"."""
    directories, files = {}, {}
    for path in sorted(MODELS.iterdir()):
        if path.is_dir():
            directories[path.name] = worker_json(worker, "inspect", path)
            config = json.loads((path / "config.json").read_text())
            directories[path.name]["model_type"] = config["model_type"]
    for path in sorted(MODELS.glob("*.gguf")):
        files[path.name] = worker_json(worker, "inspect", path)
        files[path.name]["reference"] = reference_of(path.name, directories)
    return directories, files


def published(model_types):
    return sorted(path.stem for path in CONFIGS.glob("*.json") if not path.stem.endswith("-resaved")
                  and json.loads(path.read_text())["model_type"] in model_types)


def stored_type(model):
    """The type of most matrices in the file."""
    counts = {}
    for tensor in model["tensors"]:
        if len(tensor["shape"]) >= 2:
            counts[tensor["dtype"]] = counts.get(tensor["dtype"], 0) + tensor["bytes"]
    return max(counts, key=counts.get)


def quoted(names):
    return ", ".join(f"`{name}`" for name in names)


def unique(items):
    return list(dict.fromkeys(items))


class Architecture:
    """One family: the specs that share its name, and the fixtures that prove it."""

    def __init__(self, family, specs, directories, files):
        self.family = family
        self.specs = specs
        types = {spec["model_type"] for spec in specs}
        self.directories = {n: d for n, d in directories.items() if d["model_type"] in types}
        self.files = {n: f for n, f in files.items() if f["reference"] in self.directories}
        self.published = published(types)
        self.gguf_names = unique(f["architecture"] for f in self.files.values())

    def check(self):
        if not self.directories:
            sys.exit(f"architecture {self.family}: no checkpoint in {MODELS} proves it")
        stated = {spec["gguf_architecture"] for spec in self.specs} - {""}
        if not stated <= set(self.gguf_names):
            sys.exit(f"architecture {self.family}: no GGUF file proves {stated - set(self.gguf_names)}")
        for name, model in {**self.directories, **self.files}.items():
            if not model["runnable"]:
                sys.exit(f"{name}: {model['error']}")

    def overview_row(self):
        classes = quoted(spec["hf_class"] for spec in self.specs)
        return (f"| [{self.family}](#{self.family}) | {classes} | {quoted(self.gguf_names)} | "
                f"{len(self.directories)} | {len(self.files)} |")

    def section(self, rows):
        lines = [f"### {self.family}", ""]
        lines += [f"- config.json: {quoted([s['hf_class'], s['model_type']])}" for s in self.specs]
        lines += [f"- GGUF: {quoted(self.gguf_names)}"]
        kinds = [kind for model in self.directories.values() for kind in model["network"]["kinds"]]
        lines += [f"- a layer: `{formula}`" for formula in unique(kind["formula"] for kind in kinds)]
        if self.published:
            lines += [f"- published: {', '.join(self.published)}"]
        lines += ["", "| checkpoint | stored as | GGUF | what it is about |", "|---|---|---|---|"]
        for names, text in rows:
            mine = [name for name in names if name in self.directories]
            if mine:
                files = [n for n, f in self.files.items() if n.removesuffix(".gguf") in mine]
                types = unique(stored_type(self.directories[name]) for name in mine)
                lines += [f"| {', '.join(mine)} | {', '.join(types)} | {'yes' if files else ''} | {text} |"]
        packings = [(name, text) for names, text in rows for name in names if f"{name}.gguf" in self.files
                    and name not in self.directories]
        lines += [f"| {name} | GGUF alone | yes | {text} |" for name, text in packings]
        return lines + [""]


def check_descriptions(rows, directories, files):
    described = [name for names, _ in rows for name in names]
    for name in described:
        if described.count(name) > 1:
            sys.exit(f"{README}: {name} is described twice")
        if name not in directories and f"{name}.gguf" not in files:
            sys.exit(f"{README}: describes {name}, which is not in {MODELS}")
    for name in [*directories, *(file.removesuffix(".gguf") for file in files)]:
        if name not in described:
            sys.exit(f"{README}: does not describe {name}")


def make_page(worker):
    directories, files = read_fixtures(worker)
    rows = descriptions()
    check_descriptions(rows, directories, files)
    specs = worker_json(worker, "info")["architectures"]
    architectures = [Architecture(family, [s for s in specs if s["family"] == family], directories, files)
                     for family in unique(spec["family"] for spec in specs)]
    quants = sorted(path.stem for path in QUANTS.glob("*.safetensors") if path.stem not in ("f16", "bf16"))
    lines = ["| architecture | config.json | GGUF | checkpoints | GGUF files |", "|---|---|---|---|---|"]
    for architecture in architectures:
        architecture.check()
        lines += [architecture.overview_row()]
    lines += ["", "## What is proven on what", "",
              "`tests/fixtures/README.md` says how the fixtures are made. Each checkpoint runs in f32, f16 and bf16; \"GGUF\"",
              "says whether its weights exist as a GGUF file too.", ""]
    for architecture in architectures:
        lines += architecture.section(rows)
    return HEAD.replace("{quants}", quoted(quants)) + "\n".join(lines).rstrip() + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is out of date")
    parser.add_argument("--worker", default=str(ROOT / "build/llm-worker"))
    options = parser.parse_args()
    page = make_page(options.worker)
    if not options.check:
        PAGE.write_text(page, encoding="utf-8")
        return 0
    if not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page:
        print(f"{PAGE} is out of date: run tools/make_models_doc.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
