# shellcheck shell=bash
# What the rigs of the examples share: waiting, free ports, and servers that run as somebody unprivileged. Sourced. RIG is
# the folder of one rig; RUN_AS whom its servers run as, if not as us.

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}

die() {
  echo "$*" >&2
  exit 1
}

# await SECONDS COMMAND...: until it succeeds.
await() {
  local end=$((SECONDS + $1 + 1))
  shift
  until "$@"; do
    ((SECONDS < end)) || return 1
    sleep 0.02
  done
}

# A port that nobody listens on, and that no earlier call has given, in REPLY.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000)) # below the ports that outgoing connections are given
    [[ " ${ports_given:=} " == *" $port "* ]] && continue
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  ports_given+=" $port"
  REPLY=$port
}
answers_on() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Servers refuse to run as root, or should; what touches their folders runs as their owner.
as_owner() (become_owner "$@")
become_owner() { # in place of this shell, so that its number is the program's
  cd "$RIG" || exit
  [[ -z $RUN_AS ]] || set -- setpriv --reuid "$RUN_AS" --regid "$(id -g "$RUN_AS")" --clear-groups -- "$@"
  exec "$@"
}

# The port of the old or the new one; and which is the other.
port() { case $1 in old) echo "$PORT_OLD" ;; new) echo "$PORT_NEW" ;; *) die "neither old nor new: $1" ;; esac; }
other() { case $1 in old) echo new ;; new) echo old ;; *) die "neither old nor new: $1" ;; esac; }
