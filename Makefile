PYTHON ?= python3
BIN := .venv/bin

.PHONY: install demo test test-slow drill browser test-browser lint mutants bench tables clean

install: .venv/.installed  ## everything that demo and test need

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("metairl needs Python 3.11 or newer; try make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	touch $@

demo: install  ## train RL² on 5-armed bandits, judge it on held-out ones, print the table
	$(BIN)/metairl train rl2 bandit-5 --seed 0 --steps 1000000 --out runs/demo/rl2 --wandb offline
	$(BIN)/metairl reproduce rl2-bandits --columns 10,5 --run random gittins thompson ots ucb1 epsilon-greedy greedy bayes-optimal best-arm --runs runs/demo --write runs/demo/table

test: install  ## the default suite, under ten minutes on two cores
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist worksteal

test-slow: install
	$(BIN)/python -m pytest -m slow

drill: install  ## 200 kills over every kind of method, each run finished and compared, as a table
	$(BIN)/python -m pytest tests/faults/test_kills.py -m slow -s

browser:  ## chromium, in which boards are tested; Debian's, installed as root
	command -v chromium || { apt-get update -qq && apt-get install -y -qq chromium; }

test-browser: install browser
	$(BIN)/python -m pytest -m browser -s

mutants: install  ## which small faults in the code does no test find?
	$(BIN)/python benchmarks/mutation/mutate.py --sample 200

lint: install  ## style, types, layers, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

bench: install  ## speed against peers, both sides in one run; writes results/speed.json
	$(BIN)/python -m pytest benchmarks/speed/bench_*.py -q -s

tables: install  ## every committed table again from committed records
	for table in $(notdir $(basename $(wildcard benchmarks/tables/*.toml))); do \
		$(BIN)/metairl reproduce $$table --committed --write results/tables/$$table || exit 1; \
	done

clean:
	rm -rf .venv runs build dist
