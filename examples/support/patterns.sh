# shellcheck shell=bash
# What the rigs and the cases of all patterns share: the load with its ledgers, the verdict, and the line of figures that
# `scripts/patterns` makes a table of. Sourced.
# shellcheck source=rig.sh
source "${BASH_SOURCE[0]%/*}/rig.sh"
# shellcheck source=parts.sh
source "${BASH_SOURCE[0]%/*}/parts.sh"
# shellcheck source=cases.sh
source "${BASH_SOURCE[0]%/*}/cases.sh"

patterns=$target/debug/examples/patterns

build_programs() {
  cargo build --quiet --manifest-path "$root/Cargo.toml" --bin runbook --example patterns
}

# start_load PROXY-STORE [SERVER-STORE...]: its figures are on PORT_LOAD.
start_load() { start_part load "$PORT_LOAD" setsid "$patterns" ledger-load "$RIG" "$PORT_LOAD" "$@"; }

# start_link LISTEN=TARGET...: whole, until `cut`.
start_link() { start_part link "$PORT_LINK" setsid "$patterns" link "$PORT_LINK" "$@"; }
link() { curl -fsS -X PUT "http://127.0.0.1:$PORT_LINK/cut" -d "{ \"on\": $1 }" >/dev/null; }
cut_link() { link true; }
heal_link() { link false; }

stop_load() {
  alive load || fail 'the load is gone'
  kill "$REPLY"
  await 5 test -s "$RIG/figures" || fail 'the load says nothing'
}

# measure STORE: holds the ledgers against the store in force. Afterwards these have their figures, and by_SERVER too.
measure() {
  stop_load
  local line
  line=$("$patterns" check "$RIG" "$1") || fail "$line"
  eval "$line $(<"$RIG/figures")"
}

# A checker that could not see it would prove nothing: once something was done to the store in force, it must fail and
# say so. checker_sees FIGURE STORE
checker_sees() {
  local said
  if said=$("$patterns" check "$RIG" "$2" 2>/dev/null); then fail "the checker does not fail: $said"; fi
  [[ " $said " == *" $1 "* ]] || fail "the checker does not see $1: $said"
}

# report HOW-IT-ENDED: a line of figures to RESULTS.
# shellcheck disable=SC2154 # `measure` has set them
report() {
  local restored=null total
  ((failed_retrying == 0)) || fail "$failed_retrying requests failed for clients that try again"
  if happened rollback.finished; then restored=$(restored_after); fi
  total=$(($(moment_of run.finished) - $(moment_of run.started)))
  printf '{"pattern":"%s","case":"%s","acknowledged":%d,"lost":%d,"duplicated":%d,' \
    "$pattern" "$name" "$acknowledged" "$lost" "$duplicated" >"$RIG/line"
  printf '"failed_retrying":%d,"failed_single":%d,"pause_ms":%d,"restored_ms":%s,"total_ms":%d,"note":"%s"}\n' \
    "$failed_retrying" "$failed_single" "$pause_ms" "$restored" "$total" "$1" >>"$RIG/line"
  if [[ -n ${RESULTS:-} ]]; then cat "$RIG/line" >>"$RESULTS"; else "$patterns" table "$RIG/line"; fi
}
# The ms from what made the run go back by itself until that was verified; null where a person ordered it.
restored_after() {
  local event
  ! happened gate.answered '"outcome":"no-go"' || { echo null && return; }
  for event in guard.breached step.failed; do
    happened "$event" || continue
    echo $(($(moment_of rollback.finished) - $(moment_of "$event")))
    return
  done
  echo null
}

# What stands at the head of a script.
usage() {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$1" >&2
  exit 2
}

# run_cases SCRIPT WORD CASE...: the case WORD, or all, each in a process of its own; the table at the end.
run_cases() {
  local script=$1 word=$2 one failed=0
  shift 2
  pattern=$(basename "$here")
  if [[ $word == all ]]; then
    build_programs
    local own=''
    [[ -n ${RESULTS:-} ]] || own=$(mktemp)
    export RESULTS=${RESULTS:-$own}
    for one in "$@"; do "$script" "$one" || failed=1; done
    if [[ -n $own ]]; then
      "$patterns" table "$own" || failed=1
      rm -f "$own"
    fi
    exit "$failed"
  fi
  [[ " $* " == *" $word "* ]] || usage "$script"
  name=$word
  build_programs
  bring_up
}
