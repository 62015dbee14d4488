# shellcheck shell=bash
# What the scripts of this folder share; each sources it at the root of the checkout. They have a working folder, and may start one suite
# at a time. Both are gone when the script ends, also when it is interrupted.
here=$PWD
work=$(mktemp -d)
suite=
# All workspaces and copies of the checkout share what they depend on.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$here/target}

leave() {
  local status=$1
  trap '' HUP INT TERM
  stop >/dev/null 2>&1 || true
  rm -rf "$work"
  exit "$status"
}
trap 'leave $?' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# fail WHAT [FILE]: ends the script with this line, and with what the file says.
fail() { echo "${0##*/}: $1" >&2; [ -z "${2:-}" ] || cat "$2" >&2; exit 1; }
# expect PATTERN FILE
expect() { grep -qE -- "$1" "$2" || fail "expected $1 in:" "$2"; }
# await PATTERN COMMAND…: repeats the command until it prints this, for a minute at most.
await() {
  local pattern=$1; shift
  for _ in $(seq 240); do "$@" >"$work/awaited" 2>&1 || true; grep -qE -- "$pattern" "$work/awaited" && return; sleep 0.25; done
  fail "no $pattern from $*:" "$work/awaited"
}

# need PROGRAM PACKAGE: installs the package of Debian unless the program is there.
need() {
  ! PATH=$PATH:/usr/sbin command -v "$1" >/dev/null || return 0
  local apt=(apt-get -qq)
  [ "$(id -u)" = 0 ] || apt=(sudo apt-get -qq)
  { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "$2"; } >/dev/null
}
# pypi PACKAGE VERSION [PACKAGE…]: prints a folder with this program from PyPI, installed unless it is there.
pypi() {
  local at=${XDG_CACHE_HOME:-$HOME/.cache}/quintet-$1-$2
  [ -e "$at/done" ] || { python3 -m venv --clear "$at" && "$at/bin/pip" install --quiet "$1==$2" "${@:3}" && touch "$at/done"; } >&2
  echo "$at/bin"
}

listens() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# The first port of a suite: the eleven after it and those 100 higher are free too. All are below those of outgoing connections.
free_port() {
  local port offset
  while port=$((20080 + RANDOM % 50 * 200)); do
    for offset in {0..11} {100..111}; do ! listens $((port + offset)) || continue 2; done
    echo "$port"
    return
  done
}
# up LOG COMMAND…: starts a suite and waits until it is up, as long as cargo may have to build it.
up() {
  local log=$1; shift
  "$@" >"$log" 2>&1 </dev/null &
  suite=$!
  for _ in $(seq 1200); do
    ! grep -qE '^[A-Z][A-Za-z-]* is up' "$log" || return 0
    kill -0 "$suite" 2>/dev/null || fail "the suite has ended:" "$log"
    sleep 0.25
  done
  fail "the suite is not up:" "$log"
}
# Stops the suite in order; returns its exit code.
stop() {
  local pid=$suite status=0
  [ -n "$pid" ] || return 0
  suite=
  kill -INT "$pid" && wait "$pid" || status=$?
  [ $status = 0 ] || echo "the suite ends with exit code $status" >&2
  return $status
}

# block PAGE N: the nth `sh` block of a page.
block() { awk -v n="$2" '/^```/ { if (inside) { inside = 0; next } if ($0 == "```sh" && ++count == n) { inside = 1; next } } inside' "$1"; }
# run_block PAGE N LOG
run_block() { block "$1" "$2" | bash -euo pipefail >"$3" 2>&1 || fail "$1: block $2 ends with exit code $?:" "$3"; }
