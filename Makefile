# Every target sets up what it needs: Debian packages, a Python environment, real Valkey servers, kustomize. Outside target/, only
# packages are installed where they are missing, and cargo keeps what it downloads, and the toolchain, in its own folders.

HOST := $(shell rustc -vV | sed -n 's/^host: //p')
# Static files that start without a loader: they run in any image, and start in a third of the time.
RELEASE := target/$(HOST)/release/valkey-render
AGENT := target/$(HOST)/small/valkey-topology-agent
POCKET := target/debug/pocket-cluster
STATIC := RUSTFLAGS="-C target-feature=+crt-static -C relocation-model=static"
# By the agent as it is shipped. One story of ten minutes only watches servers at rest: that takes no more than a thread.
PLAY := env -u KUBECONFIG VALKEY_TOPOLOGY_AGENT=$(AGENT) RUST_TEST_THREADS=4 cargo test --workspace
TELL := $(PLAY) --test agent
STORIES := $(TELL) --test kubectl
# Those that every change has to pass: one of each kind, in a quarter of an hour. `make e2e` tells all of them.
BRIEF := at_rest:: broken::a_host_is_drained custom_resource:: documents:: each_write::whichever_command_goes_wrong_shards forming:: \
    halted::an_upgrade_is_taken_back killed:: renewing:: scaling:: struck::a_primary_is_killed trouble:: under_load::every_server
PYTHON := PYTHONDONTWRITEBYTECODE=1 target/venv/bin/python
CRDS ?= ../shared/data/crds

.PHONY: demo demo-render test e2e soak test-large check bench build renderer programs servers kustomize prepare fuzz snapshots model model-mutants

demo: prepare build servers
	cargo build -p pocket-cluster
	@tests/tools/demo $(RELEASE) $(AGENT) $(POCKET) target/valkey

demo-render: renderer
	@tests/tools/demo-render $(RELEASE)

test: prepare servers kustomize build programs
	RUST_TEST_THREADS=4 cargo test --workspace
	POINTS=2 $(TELL) -- $(BRIEF)
	$(PLAY) --test kubectl
	VALKEY_RENDER=$(CURDIR)/$(RELEASE) cargo test --workspace --test hostile -- --test-threads=1
	target/debug/model brief
	$(PYTHON) tests/tools/check-rendered $(RELEASE) examples $(CRDS) deploy/argocd/examples deploy/flux

# All stories of the agent on real servers in the pocket Kubernetes, and of that Kubernetes itself, driven by kubectl. Writes
# docs/evidence.md. Where KUBECONFIG names a cluster, the stories play there: see tests/agent/README.md.
ifdef KUBECONFIG
e2e: prepare programs
	tests/tools/stories-on-a-cluster cargo test --quiet --workspace --test agent --
else
e2e: prepare servers kustomize build programs
	rm -rf target/evidence
	$(STORIES)
	$(PYTHON) tests/tools/evidence target/evidence
endif

# Specs change and things break at random: make soak MINUTES=60 SEED=7. What it tells names the seed, with which it can be walked again.
MINUTES ?= 10
soak: export MINUTES := $(MINUTES)
soak: prepare servers kustomize build programs
	$(TELL) -- --ignored --nocapture soak

# A hundred nodes, each request of the agent gone wrong, and what takes minutes otherwise.
test-large: prepare servers kustomize build programs
	@# A hundred servers in a network namespace each know ten thousand neighbours, and one table of the kernel holds them all.
	@test "$$(sysctl -n net.ipv4.neigh.default.gc_thresh1)" -ge 16384 || echo "a hundred nodes need: sysctl -w net.ipv4.neigh.default.gc_thresh1=16384 net.ipv4.neigh.default.gc_thresh2=16384 net.ipv4.neigh.default.gc_thresh3=32768"
	POINTS=12 $(STORIES) -- --include-ignored hundred forgotten whichever

check: prepare
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	@# All targets are not all: those that do not run with the others are left out, even where they are named beside.
	cargo clippy --workspace --test kubectl --test agent -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
	shellcheck deploy/ci/post-to-github deploy/ci/valkey-diff deploy/ci/withdraw-labels deploy/flux/push-artifact deploy/flux/render-branch tests/tools/debian-packages tests/tools/demo tests/tools/demo-render tests/tools/kustomize-versions tests/tools/pod tests/tools/prepare tests/tools/valkey-servers .ci/run
	target/venv/bin/hadolint Dockerfile
	target/venv/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows deploy/ci/github-workflow.yaml
	target/venv/bin/zizmor --offline --quiet deploy/ci/github-workflow.yaml
	@# Each snapshot is one of a case.
	rm -f target/snapshots
	INSTA_SNAPSHOT_REFERENCES_FILE=$(CURDIR)/target/snapshots cargo test --quiet --workspace --test snapshots --test stories
	xargs realpath < target/snapshots | sort --unique --output=target/snapshots
	find $(CURDIR)/snapshots -name '*.snap' | sort | diff target/snapshots -

bench: prepare build servers
	$(PYTHON) tests/tools/bench $(RELEASE)
	cargo run --quiet --release -p planner-world --example speed
	$(STATIC) cargo run --quiet --profile small --target $(HOST) -p valkey-topology-agent --example look
	cargo build --quiet --release -p pocket-cluster -p witness
	@# What misses an aim keeps no other from being measured.
	@missed=0; for bench in forming moving failing; do \
	    $(PYTHON) tests/tools/bench-$$bench $(RELEASE) $(AGENT) target/release/pocket-cluster target/valkey target/release/witness || missed=1; \
	done; exit $$missed

# Every world, as far as fifteen minutes take; `make test` looks less far.
model:
	cargo run --release -p planner-world --bin model full

# Breaks the planner in many ways, one after the other, and sees that each is noticed. Writes docs/mutants.md.
model-mutants:
	tests/tools/model-mutants

build: renderer
	$(STATIC) cargo build --profile small --target $(HOST) -p valkey-topology-agent
	@# Small: no more than 12 MiB.
	test "$$(stat --format %s $(AGENT))" -le 12582912

renderer:
	$(STATIC) cargo build --release --target $(HOST) -p valkey-render

# What the stories need besides. All targets, since then the tests need nothing compiled again.
programs:
	cargo build --workspace --all-targets

servers: prepare
	tests/tools/valkey-servers target/valkey

kustomize: prepare
	tests/tools/kustomize-versions target/kustomize

prepare:
	@tests/tools/prepare

# Needs a nightly toolchain, and takes the versions that are shipped. A minute unless told otherwise: make fuzz SECONDS=600
SECONDS ?= 60
fuzz: target/tools/bin/cargo-fuzz
	mkdir -p target/fuzz-corpus
	cp Cargo.lock spec/fuzz/Cargo.lock
	cd spec/fuzz && RUSTUP_TOOLCHAIN=nightly CARGO_TARGET_DIR=../../target/fuzz ../../target/tools/bin/cargo-fuzz run read \
	    ../../target/fuzz-corpus ../../examples ../../examples/refused ../../examples/changes -- -max_total_time=$(SECONDS)

target/tools/bin/cargo-fuzz:
	cargo install --quiet --locked --root target/tools cargo-fuzz

# Writes the snapshots and the reference anew, to be reviewed.
snapshots:
	INSTA_UPDATE=always cargo test -p valkey-render --test snapshots
	INSTA_UPDATE=always cargo test -p planner-world --test stories
	UPDATE=1 cargo test -p end-to-end --test documentation --test lua --test rights
