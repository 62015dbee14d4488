# What is typed often. `just --list` shows it.

# The suite with demo products
up:
    cargo run

# All tests; those that need a PostgreSQL or a Kafka say what they left out
test:
    cargo test --workspace

# What a change must pass before it is shown to others
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo deny check bans licenses sources

# Seeds that the whole suite is played from, with faults at every step
simulate seeds="0..10000":
    cargo run --release -p simulation -- --seeds {{seeds}}

# A death at every point of every reaction, on SQLite and the log
crash:
    cargo run --release -p crash-matrix -- --backend sqlite

# Clients that take what they can of a running order service, and what a good client meets meanwhile
attack against="127.0.0.1:8080":
    cargo run --release -p attack -- edge --against {{against}}

# What nobody should send, over the broker and over HTTP, for long
fuzz cases="100000":
    PROPTEST_CASES={{cases}} cargo test --release -p corpus --test fuzz

# The choreography, as the tree tells it
score:
    @head -qn 1 services/*/src/on/*.rs services/*/src/undo/*.rs | grep '→' | sed 's,^//! ,,'
