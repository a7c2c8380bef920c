# shellcheck shell=bash
# What the scripts of this rig share. Sourced; RIG is the folder that ./rig up made.
#
# Two places. In one: the server `old` with its leaseholder. In the other: the server `new` with its leaseholder, etcd,
# and whoever carries out the runbook. What goes from one to the other goes over the link, which can be cut. Users reach
# both, through HAProxy or past it.
# shellcheck source=../../support/patterns.sh
source "${BASH_SOURCE[0]%/*}/../../support/patterns.sh"
# shellcheck source=../../support/postgres.sh
source "${BASH_SOURCE[0]%/*}/../../support/postgres.sh"
# shellcheck source=../../support/etcd.sh
source "${BASH_SOURCE[0]%/*}/../../support/etcd.sh"
# shellcheck source=../../support/haproxy.sh
source "${BASH_SOURCE[0]%/*}/../../support/haproxy.sh"
# shellcheck source=/dev/null
source "$RIG/rig.env" # ports, PGBIN, PGPASSFILE, RUN_AS

store() { echo "postgres://app@127.0.0.1:$(port "$1")/orders?sslmode=disable"; }
