# shellcheck shell=bash
# What the scripts of this rig share. Sourced; RIG is the folder that ./rig up made.
#
# The old store is a MariaDB, the new one a PostgreSQL, in front of both the service, whose flags say who is in force.
# shellcheck source=../../support/patterns.sh
source "${BASH_SOURCE[0]%/*}/../../support/patterns.sh"
# shellcheck source=../../support/postgres.sh
source "${BASH_SOURCE[0]%/*}/../../support/postgres.sh"
# shellcheck source=../../support/mariadb.sh
source "${BASH_SOURCE[0]%/*}/../../support/mariadb.sh"
# shellcheck source=/dev/null
source "$RIG/rig.env" # ports, PGBIN, PGPASSFILE, RUN_AS

MYSQL_PWD=$(<"$RIG/password") && export MYSQL_PWD # for our programs; root comes in without

store() {
  case $1 in
    old) echo "mysql://app@127.0.0.1:$PORT_OLD/orders?ssl-mode=disabled" ;;
    new) echo "postgres://app@127.0.0.1:$PORT_NEW/orders?sslmode=disable" ;;
    *) die "no store $1" ;;
  esac
}
# One flag of the service, as it is at present.
flag() { curl -fsS "http://127.0.0.1:$PORT_SERVICE/status" | sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p"; }
start_service() {
  start_part service "$PORT_SERVICE" setsid "$patterns" dual service "$PORT_SERVICE" "$RIG/flags.json" "$(store old)" "$(store new)"
}
