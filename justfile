# What people do here. `just` lists it; README.md explains it.

python := if path_exists(".venv/bin/python") == "true" { ".venv/bin/python" } else { "python3" }
lab := python + " -m tokenize_lab"
corpus := env("CORPUS", "")
micro := "out/sweep/micro"
latest := if path_exists(micro) == "true" { micro } else { "out/measure" }

_default:
    @just --list

# Install everything for development into .venv
setup:
    python3 -m venv .venv
    .venv/bin/pip install -q -c constraints.txt -e ".[dev,train]"

# Format, lint, types, and what is known against the packages (where there is a network)
check:
    {{python}} -m ruff format --check .
    {{python}} -m ruff check .
    {{python}} -m mypy
    {{python}} -m tests.advisories

# Run the tests (options go to pytest)
test *options:
    {{python}} -m pytest -n 2 --dist loadfile {{options}}

# Run the tests that need a GPU
test-gpu *options:
    {{python}} -m pytest -m gpu {{options}}

# What a GPU shows in ten minutes, into out/gpu-check; --sweep FOLDER of a prepared sweep, too
gpu-check *options:
    {{python}} -m bench.gpu_check --out out/gpu-check {{options}}

# Try the production vocabularies that registry packages ship; write out/real/table.md
real *options:
    {{python}} -m pytest -m real tests/tokenize_lab/real {{options}}
    cat out/real/table.md

# Put what `just real` found into LOG.md
tried-with:
    {{python}} -c "from tests.tokenize_lab.real.vocabularies import write_log; write_log()"

# Measure the embedded corpus with real and freshly trained tokenizers; write out/demo/report.html
demo:
    {{lab}} demo

# The README's picture: the first screen of the demo's page
picture: demo
    {{python}} -c "from tests.reports.browsers import write_picture; write_picture()"

# Measure any corpus: just measure my_texts -t tokenizer.json -t mistral:v3
measure *arguments:
    {{lab}} measure {{arguments}}

# One HTML file from a measured folder or a sweep's: just report out/measure
report folder=latest:
    {{lab}} report {{folder}}

# Rank tokenizers on parallel text: just leaderboard my_tokenizers.txt my_folder
leaderboard *arguments="docs/tokenizers.txt embedded":
    {{lab}} leaderboard {{arguments}}

# Train one model: just train spec.toml
train *arguments:
    {{lab}} scaling train {{arguments}}

# Train the small grid (CORPUS=novels.jsonl for a text of yours): just sweep, just fit, just report
sweep *arguments:
    {{lab}} scaling sweep micro {{ if corpus == "" { "" } else { "--corpus " + quote(corpus) } }} {{arguments}}

# A grid for one large GPU: CORPUS=novels.jsonl just sweep-gpu
sweep-gpu *arguments:
    {{lab}} scaling sweep gpu --device cuda --corpus {{quote(corpus)}} {{arguments}}

# Fit a law to runs: just fit runs.csv --law law2; of the small grid without arguments
fit *arguments=(micro + " --law isoflop-surface --out " + micro):
    -{{lab}} scaling fit {{arguments}}

# Published figures beside ours
reproduce:
    {{lab}} scaling reproduce

# Speed and memory beside what one would use instead
bench *arguments:
    {{python}} bench/peers.py {{ if corpus == "" { "stdlib" } else { quote(corpus) } }} {{arguments}}
    {{python}} bench/vocab_curve.py
    {{python}} bench/stream.py --size 1e9
    {{python}} bench/superbpe.py
    {{python}} bench/fit_chinchilla.py
    {{python}} bench/train_blt.py
    {{python}} -m bench.generate_blt
    {{python}} -m bench.large --scale .1

# After a change of dependencies: write docs/licences.md anew
licences:
    {{python}} -m tests.licences

# After editing the embedded corpus: write its checksums anew
embedded-manifest:
    {{python}} -c "from corpora.manifest import write_manifests; write_manifests()"
