# shellcheck shell=bash
# What the scripts of this rig share. Sourced; RIG is the folder that ./rig up made.
#
# A log in NATS, and two instances of a service that live by it, `old` and `new`. New reaches the log over a link, which
# can be cut. Users come in through HAProxy, or past it.
# shellcheck source=../../support/patterns.sh
source "${BASH_SOURCE[0]%/*}/../../support/patterns.sh"
# shellcheck source=../../support/haproxy.sh
source "${BASH_SOURCE[0]%/*}/../../support/haproxy.sh"
# shellcheck source=../../support/nats.sh
source "${BASH_SOURCE[0]%/*}/../../support/nats.sh"
# shellcheck source=/dev/null
source "$RIG/rig.env" # ports, RUN_AS

events() { "$patterns" events "$@"; }
store() { echo "events://$(port "$1")/$PORT_NATS"; }

# start_service NAME LOG-PORT FROM: FROM is `zero` or the file of a snapshot.
start_service() {
  start_part "service-$1" "$(port "$1")" setsid "$patterns" events serve "$1" "$(port "$1")" "$2" "$3" "$RIG/$1.snapshot" 4000
}
