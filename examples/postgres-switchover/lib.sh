# shellcheck shell=bash
# What all scripts of this rig share. Sourced; RIG is the folder that ./rig up made.
#
# There are two servers, `old` and `new`. Which of them is the primary changes; their names and ports do not.
# shellcheck source=../support/rig.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/rig.sh"
# shellcheck source=/dev/null
source "$RIG/rig.env" # ports, PGBIN, PGPASSFILE, RUN_AS

export PGCONNECT_TIMEOUT=2 PGSSLMODE=disable PGAPPNAME=rig

port() { case $1 in old) echo "$PORT_OLD" ;; new) echo "$PORT_NEW" ;; *) die "no server $1" ;; esac; }
other() { case $1 in old) echo new ;; new) echo old ;; *) die "no server $1" ;; esac; }

# The real psql: the one on PATH is a wrapper that takes longer than the question.
sql() { # sql SERVER ROLE ARGUMENT...
  "$PGBIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$(port "$1")" -U "$2" -d orders "${@:3}"
}

# ask SERVER STATEMENT...: each in a transaction of its own.
ask() {
  local server=$1 statement words=()
  shift
  for statement in "$@"; do words+=(-c "$statement"); done
  sql "$server" ops "${words[@]}"
}

# The number of a running server's main process, in REPLY.
running() {
  { read -r REPLY <"$RIG/$1/postmaster.pid"; } 2>/dev/null && kill -0 "$REPLY" 2>/dev/null
}
in_recovery() { [[ $(ask "$1" 'select pg_is_in_recovery()') == t ]]; }
is_primary() { running "$1" && ! in_recovery "$1"; }

# What a stopped server says of itself.
state() { control "$1" 'Database cluster state'; }
control() { as_owner "$PGBIN/pg_controldata" -D "$RIG/$1" | sed -n "s/^$2: *//p"; }

start() {
  as_owner "$PGBIN/pg_ctl" -D "$RIG/$1" -s -l "$RIG/$1.log" -w -t 20 -o "-p $(port "$1") -c cluster_name=$1" start
}

# Ends sessions and what they are at, writes everything out, sends it to the replica. INT is PostgreSQL's "fast".
stop_cleanly() {
  stopped() { ! running "$1"; }
  stopped "$1" || kill -INT "$REPLY"
  await 20 stopped "$1"
}

streams_to() { # streams_to PRIMARY REPLICA
  [[ $(ask "$1" "select count(*) from pg_stat_replication where application_name = '$2' and state = 'streaming'") == 1 ]]
}

# Who may come in: everybody, or everybody but the application. Says nothing to sessions that are open.
admit() { # admit SERVER open|fenced
  printf '%s\n' "$(<"$RIG/pg_hba.$2")" >"$RIG/$1/pg_hba.conf"
}

# Tries to write as the application does, past the proxy. 0: it can. 1: it is refused. 2: no telling.
try_to_write() {
  local said
  running "$1" || return 1
  said=$(sql "$1" app -c 'begin; insert into orders (number) values (-1); rollback' 2>&1) && return 0
  case $said in
    *'pg_hba.conf rejects'* | *read-only* | *'Connection refused'* | *'is shutting down'*) return 1 ;;
  esac
  echo "$said" >&2
  return 2
}
