# Every job has one target; CI calls the same ones. `make help` lists them.
PYTHON ?= python3
RUN := .venv/bin/python
# Tests run in so many processes at once.
JOBS ?= $(shell nproc)
# LightGBM takes OpenMP from the system. A Debian need not have it (libgomp1): then the one serves that scikit-learn brings.
TRAIN = LD_LIBRARY_PATH=$(CURDIR)/.venv-train/openmp .venv-train/bin/python
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/node_modules/.bin:$(PATH)
export PYTHONDONTWRITEBYTECODE := 1
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test lint format train evaluate scenarios package package-azure synth templates benchmark histories clean lock azureml

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/bin/breakwater node_modules/.ready .cache/emulator/.ready .cache/azure-runtime/.ready ## create the environment (demo and test do it by themselves)

demo: setup ## the main job: both embedded clouds, recorded attacks replayed, contained, undone; writes demo-report.html
	@$(RUN) -m offline.demo

test: setup .venv-train/.ready .venv-checkov/.ready .venv-azureml/.ready .venv-az/.ready tflite-runtime ## every test, the end-to-end ones on the embedded clouds included
	@$(TRAIN) -m pytest -p no:cacheprovider --confcutdir infra_tests/training -m training infra_tests/training
	@$(RUN) -m pytest -m "not training" -n $(JOBS) --dist loadfile --no-loadscope-reorder

lint: .venv/.ready ## style, types, import rules
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

format: .venv/.ready ## let ruff mend what it can
	@.venv/bin/ruff check --fix . && .venv/bin/ruff format .

train: .venv-train/.ready ## build both deployed detectors, stage by stage (about 20 minutes on 2 cores; goes on where it was stopped)
	@$(TRAIN) -m training.build all

evaluate: .venv-train/.ready ## every protocol of docs/model-report.md again, with its figures (two hours of processor time by estimate; goes on where it was stopped)
	@$(TRAIN) -m training.trials
	@$(TRAIN) -m training.benchmarks

scenarios: .venv/.ready ## write generated telemetry (flow logs, CloudTrail, syslog) with labels to build/scenarios
	@$(RUN) -m training.scenarios --out build/scenarios

package: .venv/.ready node_modules/.ready ## build each function's folder: build/local (this machine) and build/cloud (Lambda, arm64)
	@$(RUN) -m cdk.package --for both

package-azure: .venv/.ready ## build the Function app's folder: build/azure/local (this machine) and build/azure/cloud (Flex Consumption)
	@$(RUN) -m azure_infra.package --for both

synth: setup package ## synthesise the CloudFormation templates into cdk.out (what `cdk deploy` would deploy)
	@cdk synth --quiet && echo "Templates are in cdk.out/"

templates: .venv/.ready ## write the ARM templates in azure_infra/ anew, from what functions and actions declare
	@$(RUN) -m azure_infra

benchmark: setup ## speed, memory, start-up and cost, with the machine and versions
	@$(RUN) -m benchmarks

histories: .venv/.ready ## the response under 100,000 generated histories, and broken on purpose; docs/histories.md gets the figures (about 10 minutes)
	@$(RUN) -m infra_tests.response.histories --out docs/histories.md

clean: ## remove everything that the other targets made
	rm -rf .venv .venv-train .venv-tflite .venv-checkov .venv-azureml .venv-az .cache build cdk.out node_modules demo-report.html

lock: .venv/.ready ## resolve requirements/*.in anew
	@for name in functions azure_functions dev train train_gpu azureml bootstrap checkov; do \
		uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header requirements/$$name.in -o requirements/$$name.lock; done
	@for name in emulator az; do \
		uv pip compile -q --universal --no-deps --python-version 3.11 --generate-hashes --no-annotate --no-header requirements/$$name.in -o requirements/$$name.lock; done
	@uv pip compile -q --universal --no-deps --python-version 3.13 --generate-hashes --no-annotate --no-header requirements/azure_runtime.in -o requirements/azure_runtime.lock
	@uv pip compile -q --python-version 3.11 --python-platform x86_64-manylinux2014 --generate-hashes --no-annotate --no-header requirements/tflite-runtime.in -o requirements/tflite-runtime.lock

.venv/.ready: requirements/dev.lock requirements/sync
	@echo "[1/4] Python environment"
	@requirements/sync $(CURDIR)/.venv requirements/dev.lock $(PYTHON)
	@touch $@

# The operator's command: nothing to install, and not in any function's folder.
.venv/bin/breakwater: | .venv/.ready
	@ln -sf ../../console/breakwater $@

node_modules/.ready: package-lock.json .venv/.ready
	@echo "[2/4] CDK command line, storage emulator, types of Azure's resources (Node comes from the Python environment)"
	@npm ci --no-audit --no-fund --no-update-notifier --loglevel=error
	@touch $@

.cache/azure-runtime/.ready: requirements/azure_runtime.lock .venv/.ready
	@echo "[4/4] Azure Functions library"
	@$(RUN) -m offline.azure.functions_host.library
	@mkdir -p $(@D) && touch $@

.cache/emulator/.ready: requirements/emulator.lock .venv/.ready
	@echo "[3/4] Lambda runtime interface emulator"
	@$(RUN) -m offline.aws.emulator_binary
	@mkdir -p $(@D) && touch $@

.venv-train/.ready: requirements/train.lock requirements/sync
	@echo "Training environment (TensorFlow, apart from everything that is deployed)"
	@requirements/sync $(CURDIR)/.venv-train requirements/train.lock $(PYTHON)
	@mkdir -p .venv-train/openmp && ln -sf $(CURDIR)/.venv-train/lib/python3*/site-packages/scikit_learn.libs/libgomp-*.so* .venv-train/openmp/libgomp.so.1
	@touch $@

.venv-checkov/.ready: requirements/checkov.lock requirements/sync
	@echo "checkov environment (scans the Azure templates; it pins older versions of what the others need)"
	@requirements/sync $(CURDIR)/.venv-checkov requirements/checkov.lock $(PYTHON)
	@touch $@

.venv-az/.ready: requirements/az.lock requirements/sync
	@echo "Azure CLI environment (deploys the templates to the embedded Azure)"
	@requirements/sync $(CURDIR)/.venv-az requirements/az.lock $(PYTHON)
	@touch $@

azureml: .venv-azureml/.ready ## create the environment that submits training to Azure ML (SageMaker needs none of its own)

.venv-azureml/.ready: requirements/azureml.lock requirements/sync
	@echo "Azure ML environment (validates and submits training jobs)"
	@requirements/sync $(CURDIR)/.venv-azureml requirements/azureml.lock $(PYTHON)
	@touch $@

# tflite-runtime's last release needs Python 3.11 on x86-64: where that is missing, the parity test says why it is skipped.
.PHONY: tflite-runtime
tflite-runtime:
	@if command -v python3.11 >/dev/null && python3.11 -c 'import ensurepip, platform, sys; sys.exit(platform.machine() != "x86_64")' 2>/dev/null; then \
		$(MAKE) --no-print-directory .venv-tflite/.ready; fi

.venv-tflite/.ready: requirements/tflite-runtime.lock requirements/sync
	@echo "tflite-runtime environment (parity of the two engines)"
	@requirements/sync $(CURDIR)/.venv-tflite requirements/tflite-runtime.lock python3.11
	@touch $@
