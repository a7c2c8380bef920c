# shellcheck shell=bash
# HAProxy in a rig: users come in on PORT_PROXY, orders on PORT_ADMIN. Sourced, after parts.sh.

# start_haproxy: the rest of its configuration comes in on standard input.
start_haproxy() {
  {
    printf 'global\n  stats socket ipv4@127.0.0.1:%s level admin\n' "$PORT_ADMIN"
    cat
  } >"$RIG/haproxy.cfg"
  PATH=$PATH:/usr/sbin start_part haproxy "$PORT_PROXY" become_owner setsid haproxy -db -f "$RIG/haproxy.cfg"
}

# Asks it over its own socket; its lines are in `haproxy_said`.
haproxy_said=()
ask_haproxy() {
  exec 3<>"/dev/tcp/127.0.0.1/$PORT_ADMIN"
  echo "$*" >&3
  mapfile -t -u 3 haproxy_said
  exec 3>&-
}

# The same for an order, which succeeds in silence.
proxy() {
  ask_haproxy "$*"
  local said="${haproxy_said[*]}"
  [[ -z ${said//[[:space:]]/} ]] || die "HAProxy: $said"
}

# lead_users SERVER OTHER: in the backend `db`. What is under way at the other may end there.
lead_users() { proxy "set server db/$2 state maint; set server db/$1 state ready"; }
# Where users are led to.
led_to() {
  local line backend server state
  ask_haproxy 'show servers state db'
  for line in "${haproxy_said[@]}"; do
    read -r _ backend _ server _ state _ <<<"$line"
    [[ $backend != db || $state != 2 ]] || echo "$server" # 2: it runs
  done
}
