# shellcheck shell=bash
# What all scripts of this rig share. Sourced; RIG is the folder that ./rig up made.
#
# There are two versions of the service, `old` and `new`, and a Redis for each.
# shellcheck source=../support/rig.sh
source "${BASH_SOURCE[0]%/*}/../support/rig.sh"
# shellcheck source=../support/parts.sh
source "${BASH_SOURCE[0]%/*}/../support/parts.sh"
# shellcheck source=../support/haproxy.sh
source "${BASH_SOURCE[0]%/*}/../support/haproxy.sh"
# shellcheck source=/dev/null
source "$RIG/rig.env" # ports, RUN_AS

service=$target/debug/examples/shift-service
load=$target/debug/examples/shift-load

# http PORT METHOD PATH [JSON]: prints the answer, head and all.
http() {
  local body=${4:-}
  {
    exec 3<>"/dev/tcp/127.0.0.1/$1"
  } 2>/dev/null || return 1
  printf '%s %s HTTP/1.1\r\nhost: rig\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s' "$2" "$3" "${#body}" "$body" >&3
  cat <&3
  exec 3>&-
}
put() { # put PORT PATH JSON
  [[ $(http "$1" PUT "$2" "$3") == 'HTTP/1.1 200 '* ]] || die "PUT $2 was not taken"
}

# How many percent of the requests go to new. Fails when the two weights do not add up.
weight() {
  local line weights=()
  ask_haproxy 'get weight versions/old; get weight versions/new'
  for line in "${haproxy_said[@]}"; do
    [[ $line != *' (initial '* ]] || weights+=("${line%% *}")
  done
  ((${#weights[@]} == 2 && weights[0] + weights[1] == 100)) || die "HAProxy: ${haproxy_said[*]}"
  echo "${weights[1]}"
}
