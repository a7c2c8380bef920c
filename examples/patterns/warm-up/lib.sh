# shellcheck shell=bash
# What the scripts of this rig share. Sourced; RIG is the folder that ./rig up made.
#
# Customers come to HAProxy. Behind it is the shop `old`, with a cache, and later the shop `new` with a cache of its own.
# Both have one Redis for their orders, the store.
# shellcheck source=../../support/patterns.sh
source "${BASH_SOURCE[0]%/*}/../../support/patterns.sh"
# shellcheck source=../../support/haproxy.sh
source "${BASH_SOURCE[0]%/*}/../../support/haproxy.sh"
# shellcheck source=../../support/redis.sh
source "${BASH_SOURCE[0]%/*}/../../support/redis.sh"
# shellcheck source=/dev/null
source "$RIG/rig.env" # ports, RUN_AS

# What the checker is given: where to knock is of no matter to it.
store() { echo "shop://$PORT_PROXY/$PORT_STORE"; }
redis() { redis-cli -p "$1" "${@:2}"; }

start_service() { # start_service NAME
  local door=PORT_${1^^} cache=PORT_CACHE_${1^^}
  start_part "$1" "${!door}" setsid "$patterns" warm-up service "$1" "$PORT_STORE" "${!cache}" "${!door}" "$RIG/asked.$1"
}
stop() { # stop PART: and waits until it is gone; nothing to do if it does not run
  ! alive "$1" || kill -KILL "$REPLY"
  gone() { ! alive "$1"; }
  await 5 gone "$1"
}

# Of the server `new` in HAProxy: its state (2: it runs), its weight.
new_in_proxy() {
  local line server state weight
  ask_haproxy 'show servers state shop'
  for line in "${haproxy_said[@]}"; do
    read -r _ _ _ server _ state _ weight _ <<<"$line"
    [[ $server != new ]] || echo "$state $weight"
  done
}
set_share() { proxy "set weight shop/new $1; set weight shop/old $((100 - $1))"; }
