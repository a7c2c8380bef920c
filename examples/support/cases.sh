# shellcheck shell=bash
# What the `run` scripts of the examples share: one case is one rig, one run of the runbook beside us, and a verdict.
# Sourced, after rig.sh, by a script that has set `here`, `name` (of the case), `runbook` and `file`.

fail() {
  echo "case $name: $*" >&2
  exit 1
}
now() { date +%s%3N; }

# Starts the run beside us; its events go to a file.
begin() {
  : >"$RIG/events" # whoever looks early finds it empty
  "$runbook" exec "$file" --output json "$@" >"$RIG/events" 2>"$RIG/said" &
  run_pid=$!
}
go_on() {
  "$runbook" resume --output json >>"$RIG/events" 2>>"$RIG/said" &
  run_pid=$!
}
over() { ! kill -0 "$run_pid" 2>/dev/null; }
ends_with() { # ends_with EXIT-CODE
  local code=0
  {
    await 120 over || fail 'the run does not end'
    wait "$run_pid" || code=$?
  } 2>>"$RIG/said" # bash tells of processes that were killed
  ((code == $1)) || fail "the run ended with $code, not $1"
}
happened() { grep -Eq "\"event\":\"$1\".*${2:-}" "$RIG/events"; }
await_event() {
  happened_or_over() { happened "$@" || over; }
  await 60 happened_or_over "$@" || true
  happened "$@" || fail "no event $*"
}

# refused SAY ARGUMENT...: the run does not begin, and says why.
refused() {
  local say=$1
  shift
  start_run "$@"
  ends_with 3
  cat "$RIG/events" >>"$RIG/said"
  grep -qF -- "$say" "$RIG/said" || fail "the refusal does not say: $say"
  ! happened step.started || fail 'a step was carried out'
}
# A case without figures: nothing was moved.
untouched() { echo "case $name: $1" >&2; }

# kill_at EVENT [MORE]: the orchestrator is gone in the middle of what has just begun.
kill_at() {
  await_event "$@"
  kill -9 "$run_pid"
  ends_with 137
}
# moment_of EVENT [MORE]: when it first happened, in ms, by the run's own account.
moment_of() {
  local at
  at=$(grep -E "\"event\":\"$1\".*${2:-}" "$RIG/events" | sed -n '1s/.*"at":"\([^"]*\)".*/\1/p')
  [[ -n $at ]] || fail "no event $*"
  date -d "$at" +%s%3N
}

# A rig for this case, which ends with it.
bring_up() {
  echo "case $name ..." >&2
  RIG=$(RIG_OWNER=$$ "$here/rig" up)
  export RIG
  trap 'end_of_case $?' EXIT
  # shellcheck source=/dev/null
  source "$RIG/env"
}
# Whatever happened: nothing is left but, if asked for, the folder of a failed case.
end_of_case() {
  trap - EXIT
  [[ -z ${run_pid:-} ]] || kill "$run_pid" 2>/dev/null || true
  if (($1)); then
    sed -n 's/.*"at":"[^T]*T\([^"]*\)".*"sentence":"\(.*\)"}$/\1  \2/p' "$RIG/events" | tail -n 20 >&2 || true
    tail -n 20 "$RIG/said" >&2 || true
    if [[ -n ${KEEP:-} ]]; then
      echo "kept, and running: RIG=$RIG" >&2
      exit "$1"
    fi
  fi
  "$here/rig" down
  exit "$1"
}

# every_case SCRIPT CASE...: each in a process of its own, then the table once more, whole.
every_case() {
  local script=$1 one failed=0
  shift
  RESULTS=$(mktemp)
  export RESULTS
  trap 'rm -f "$RESULTS"' EXIT
  header >"$RESULTS"
  for one in "$@"; do "$script" "$one" || failed=1; done
  cat "$RESULTS"
  exit "$failed"
}
