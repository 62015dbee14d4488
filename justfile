# What is typed often. `just --list` shows it.

set shell := ["bash", "-euo", "pipefail", "-c"]

# The suite with demo products
up:
    cargo run

# All tests; those that need a PostgreSQL or a Kafka say what they left out
test:
    cargo test --workspace

# What a change must pass before it is shown to others: the stages of CI that take minutes
check: (ci "format scripts links deny lints unit")

# Stages of CI, all unless named: `just ci lints unit`; `just ci --list` names them
ci *stages:
    bash .ci/run {{ stages }}

# The scenarios whose names contain this: `just scenario files::recovery::payment_is_killed`
scenario name:
    cargo test -p scenarios --test '*' {{ name }}

# One seed of the simulator: `just seed 7`
seed number:
    cargo run -p simulation -- --seed {{ number }}

# Seeds that the whole suite is played from, with faults at every step
simulate seeds="0..10000":
    cargo run --release -p simulation -- --seeds {{ seeds }}

# One injected bug, which the simulator must find, so that the exit code is 1: `just bug UndoForgotten`
bug name:
    cargo run -p simulation --features injected-bugs -- --bug {{ name }}

# The mutants of one file, which tests must catch: `just mutants services/payment/src/on/stock_reserved.rs`
mutants file:
    cargo mutants --workspace --file {{ file }}

# One cell of the crash matrix: `just cell payment-charge-after_commit`
cell name:
    cargo run -p crash-matrix -- --backend sqlite --only {{ name }}

# A death at every point of every reaction, on SQLite and the log
crash:
    cargo run --release -p crash-matrix -- --backend sqlite

# Clients that take what they can of a running order service, and what a good client meets meanwhile
attack against="127.0.0.1:8080":
    cargo run --release -p attack -- edge --against {{ against }}

# Damaged records and requests, over the broker and over HTTP, for long
fuzz cases="100000":
    PROPTEST_CASES={{ cases }} cargo test --release -p corpus --test fuzz

# Writes the reference pages anew, from the code
docs:
    cargo run -p reference

# The commands of one page: `just page docs/patterns.md`
page file:
    .ci/pages {{ file }}

# The choreography, as the tree tells it
score:
    @head -qn 1 services/*/src/on/*.rs services/*/src/undo/*.rs | grep '→' | sed 's,^//! ,,'
