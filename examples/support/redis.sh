# shellcheck shell=bash
# Redis servers of a rig, which forget. Sourced, after parts.sh.

# start_redis PART PORT [OPTION...]
start_redis() {
  local part=$1 port=$2
  shift 2
  start_part "$part" "$port" become_owner setsid redis-server --port "$port" --bind 127.0.0.1 --dir "$RIG" --save '' \
    --appendonly no "$@"
}
