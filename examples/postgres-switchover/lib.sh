# shellcheck shell=bash
# What all scripts of this rig share. Sourced; RIG is the folder that ./rig up made.
#
# There are two servers, `old` and `new`. Which of them is the primary changes; their names and ports do not.
# shellcheck source=../support/rig.sh
source "${BASH_SOURCE[0]%/*}/../support/rig.sh"
# shellcheck source=../support/parts.sh
source "${BASH_SOURCE[0]%/*}/../support/parts.sh"
# shellcheck source=../support/haproxy.sh
source "${BASH_SOURCE[0]%/*}/../support/haproxy.sh"
# shellcheck source=../support/postgres.sh
source "${BASH_SOURCE[0]%/*}/../support/postgres.sh"
# shellcheck source=/dev/null
source "$RIG/rig.env" # ports, PGBIN, PGPASSFILE, RUN_AS

# Who may come in: everybody, or everybody but the application. Says nothing to sessions that are open.
admit() { # admit SERVER open|fenced
  printf '%s\n' "$(<"$RIG/pg_hba.$2")" >"$RIG/$1/pg_hba.conf"
}
