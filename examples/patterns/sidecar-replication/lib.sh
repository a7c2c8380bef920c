# shellcheck shell=bash
# What the scripts of this rig share. Sourced; RIG is the folder that ./rig up made.
#
# Two PostgreSQL servers that know nothing of each other, `old` and `new`; NATS, which holds the queues; and a sidecar for
# each direction, `forward` and `reverse`. Users come in through HAProxy, or past it.
# shellcheck source=../../support/patterns.sh
source "${BASH_SOURCE[0]%/*}/../../support/patterns.sh"
# shellcheck source=../../support/postgres.sh
source "${BASH_SOURCE[0]%/*}/../../support/postgres.sh"
# shellcheck source=../../support/haproxy.sh
source "${BASH_SOURCE[0]%/*}/../../support/haproxy.sh"
# shellcheck source=../../support/nats.sh
source "${BASH_SOURCE[0]%/*}/../../support/nats.sh"
# shellcheck source=/dev/null
source "$RIG/rig.env" # ports, PGBIN, PGPASSFILE, RUN_AS

store() { echo "postgres://app@127.0.0.1:$(port "$1")/orders?sslmode=disable"; }
as_ops() { echo "postgres://ops@127.0.0.1:$(port "$1")/orders?sslmode=disable"; }
sidecar() { "$patterns" sidecar "$@"; }
