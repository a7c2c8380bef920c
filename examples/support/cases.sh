# shellcheck shell=bash
# What the `run` scripts of the examples share: one case is one rig, one run of the runbook beside us, and a verdict.
# Sourced by a script that has set `here`, `name` (of the case), `runbook` and `file`.

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
ends_with() { # ends_with EXIT-CODE
  local code=0
  { wait "$run_pid" || code=$?; } 2>/dev/null
  ((code == $1)) || fail "the run ended with $code, not $1"
}
happened() { grep -Eq "\"event\":\"$1\".*${2:-}" "$RIG/events"; }
await_event() {
  happened_or_over() { happened "$@" || ! kill -0 "$run_pid" 2>/dev/null; }
  await 60 happened_or_over "$@" || true
  happened "$@" || fail "no event $*"
}

# Whatever happened: nothing is left but, if asked for, the folder of a failed case.
end_of_case() {
  trap - EXIT
  [[ -z ${run_pid:-} ]] || kill "$run_pid" 2>/dev/null || true
  if (($1)); then
    tail -n 20 "$RIG/events" "$RIG/said" >&2 || true
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
