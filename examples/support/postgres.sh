# shellcheck shell=bash
# PostgreSQL servers of a rig: each is a folder of RIG with its name. Sourced, after rig.sh. Whoever sources it says with
# `port SERVER` where each listens. The superuser is `ops`, the application `app`, the database `orders`.

export PGCONNECT_TIMEOUT=2 PGSSLMODE=disable PGAPPNAME=rig

# The programs, and one password for all roles; lines of rig.env.
postgres_names() {
  local bin password
  bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -1)
  echo "PGBIN=$bin"
  echo "export PGPASSFILE=$RIG/pgpass"
  password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  (umask 077 && echo "*:*:*:*:$password" >"$RIG/pgpass" && echo "$password" >"$RIG/password")
  [[ -z $RUN_AS ]] || chown "$RUN_AS" "$RIG/pgpass" "$RIG/password"
}

# --- making them ------------------------------------------------------------------------------------------------------

# init_server SERVER: empty; more settings come in on standard input.
init_server() {
  as_owner "$PGBIN/initdb" -D "$RIG/$1" -U ops --auth=scram-sha-256 --pwfile="$RIG/password" \
    --no-sync --no-instructions -E UTF8 --locale=C.UTF-8 >"$RIG/initdb.log"
  as_owner tee -a "$RIG/$1/postgresql.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = 32MB
wal_level = replica
wal_keep_size = 256MB
wal_receiver_status_interval = 1s
wal_retrieve_retry_interval = 200ms
CONF
  as_owner tee -a "$RIG/$1/postgresql.conf" >/dev/null
}

# follows SERVER PORT: whom it follows, whenever it is a replica.
follows() {
  sed -i '/^primary_conninfo/d' "$RIG/$1/postgresql.conf"
  echo "primary_conninfo = 'host=127.0.0.1 port=$2 user=ops application_name=$1 passfile=$RIG/pgpass sslmode=disable'" |
    as_owner tee -a "$RIG/$1/postgresql.conf" >/dev/null
}

# The table of the writes, in a database of its own, and some of them to begin with.
make_orders() {
  sql "$1" ops -d postgres -c 'create database orders'
  ask "$1" "create role app login password '$(<"$RIG/password")'" \
    "create table orders (number bigint primary key, at timestamptz not null default clock_timestamp(),
       taken_by text not null default current_setting('cluster_name'))" \
    'grant insert, select on orders to app' 'create extension pg_prewarm' \
    "insert into orders (number) select -n from generate_series(2, 20000) n"
}

# clone_server FROM TO
clone_server() {
  as_owner "$PGBIN/pg_basebackup" -D "$RIG/$2" -h 127.0.0.1 -p "$(port "$1")" -U ops -X stream -c fast --no-sync
  as_owner touch "$RIG/$2/standby.signal"
}

# --- asking and telling them ------------------------------------------------------------------------------------------

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
