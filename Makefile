# Needs Python 3.11 or newer, make and a shell; everything else is installed into .venv.
PYTHON ?= python3
PYTEST_ARGS ?=
# Two tests at a time, each with servers of its own; a Redis that was given has room for one.
TOGETHER := $(if $(TEST_REDIS_URL),,-n 2 --dist worksteal)
LOCK_ARGS ?=

PY := .venv/bin/python
RUN := .venv/run.stamp
DEV := .venv/dev.stamp
# The locks are complete, so nothing is left to resolve; a resolver would trip over extras whose pin names none.
INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check --no-input --require-hashes --no-deps
MONEY_SERVICES := billing customers payment_rows payment_rules payment_states payments plan_months plans purses reconciliation \
  refund_states refunds settlements spend subscription_states subscriptions webhooks
comma := ,
MONEY := pixshift/domain/pricing.py,pixshift/domain/lifecycle.py$(subst $() ,,$(MONEY_SERVICES:%=$(comma)pixshift/services/%.py))

.DEFAULT_GOAL := help
.PHONY: help run test test-unit test-integration test-e2e coverage check format bench drills lock browser

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

run: $(RUN) ## the whole product on http://127.0.0.1:8000 (or PORT); Ctrl-C stops it
	@exec $(PY) -m flask --app wsgi up

test: $(DEV) browser ## every test: unit, integration, end-to-end
	@exec $(PY) -m pytest $(TOGETHER) $(PYTEST_ARGS)

test-unit: $(DEV) ## tests without servers
	@exec $(PY) -m pytest tests/unit $(TOGETHER) $(PYTEST_ARGS)

test-integration: $(DEV) ## tests on real PostgreSQL, Redis and HTTP
	@exec $(PY) -m pytest tests/integration $(TOGETHER) $(PYTEST_ARGS)

test-e2e: $(DEV) browser ## tests of the whole product in a real Chromium
	@exec $(PY) -m pytest tests/e2e $(TOGETHER) $(PYTEST_ARGS)

coverage: $(DEV) browser ## every test, then 90 % of all branches and 100 % of the money files
	@$(PY) -m pytest --cov --cov-report= $(TOGETHER) $(PYTEST_ARGS)
	@$(PY) -m coverage report --skip-covered --fail-under=90
	@$(PY) -m coverage report --include=$(MONEY) --fail-under=100

check: $(DEV) ## format and lint of code, lint of templates, types, import rules
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@$(PY) -m djlint pixshift/templates --lint --quiet
	@$(PY) .venv/bin/lint-imports

format: $(DEV) ## rewrite code the way `make check` wants it
	@$(PY) -m ruff check --fix-only --quiet .
	@$(PY) -m ruff format .

bench: $(DEV) ## the figures of docs/performance.md, measured here
	@exec $(PY) -m bench

drills: $(DEV) ## the faults of docs/reliability.md, tried in full (half an hour)
	@exec $(PY) -m drills $(DRILLS)

# The oldest Python decides, because what it can install all newer ones can. pip's own configuration is left out so
# that only the index's files get into the lock, not those of a local folder.
lock: $(DEV) ## renew requirements/*.txt (LOCK_ARGS=--upgrade for newer versions)
	@$(PY) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
	|| { echo "Lock with Python 3.11, the oldest one supported: rm -r .venv; make lock PYTHON=python3.11" >&2; exit 1; }
	@cd requirements && for name in run dev; do \
	  PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS= PIP_EXTRA_INDEX_URL= CUSTOM_COMPILE_COMMAND="make lock" \
	  ../$(PY) -m piptools compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-emit-options \
	  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host $(LOCK_ARGS) --output-file $$name.txt $$name.in \
	  || exit 1; \
	done

# A stamp is newer than the lock it was installed from, so a second run installs nothing.
$(RUN): requirements/run.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "PixShift needs Python 3.11 or newer as $(PYTHON); name another one with PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' \
	|| { echo "$(PYTHON) cannot make virtual environments; on Debian: apt install python3-venv" >&2; exit 1; }
	@echo "Installing what PixShift needs into .venv (once, about a minute)"
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@$(INSTALL) -r requirements/run.txt
	@touch $@

$(DEV): requirements/dev.txt $(RUN)
	@echo "Installing what its tests need into .venv (once, about a minute)"
	@$(INSTALL) -r requirements/run.txt -r requirements/dev.txt
	@touch $@

# Debian's Chromium brings the libraries it needs; Playwright's own build is for everywhere else.
browser: $(DEV)
	@command -v "$${CHROMIUM:-chromium}" >/dev/null \
	|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq \
	     && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium >/dev/null \
	     && chromium --version >/dev/null; } \
	|| $(PY) -m playwright install chromium
