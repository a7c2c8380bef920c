# shellcheck shell=bash
# What the scripts of this rig share. Sourced; RIG is the folder that ./rig up made.
#
# Customers come to nginx. Behind it are the versions `old` and `new` of a shop, with one Redis for both, the store. Beside
# them: `spare`, which is old once more with two shadow doors, the differ, and a second Redis, the shadow store.
# shellcheck source=../../support/patterns.sh
source "${BASH_SOURCE[0]%/*}/../../support/patterns.sh"
# shellcheck source=../../support/nginx.sh
source "${BASH_SOURCE[0]%/*}/../../support/nginx.sh"
# shellcheck source=../../support/redis.sh
source "${BASH_SOURCE[0]%/*}/../../support/redis.sh"
# shellcheck source=/dev/null
source "$RIG/rig.env" # ports, RUN_AS

# What the checker is given: where to knock is of no matter to it.
store() { echo "shop://$PORT_PROXY/$PORT_STORE"; }

redis() { redis-cli -p "$1" "${@:2}"; }
faults_of() { curl -fsS -X PUT "http://127.0.0.1:$1/faults" -d "$2" >/dev/null; }
nginx_says() { curl -fsS "http://127.0.0.1:$PORT_STATUS/$1"; }
differ_counts() { curl -fsS "http://127.0.0.1:$PORT_DIFFER/metrics" | sed -n "s/^mirror_$1_total //p"; }

# start_version NAME DOOR [SHADOW-DOOR...]
start_version() { start_part "$1" "$2" setsid "$patterns" mirrored version "$1" "$PORT_STORE" "$PORT_SHADOW" "${@:2}"; }
