# shellcheck shell=bash
# MariaDB servers of a rig: each is a folder of RIG with its name, and a part. Sourced, after parts.sh and after what makes
# `$RIG/password`; whoever sources it says with `port SERVER` where each listens. The superuser is `root`, over the socket in
# its folder; the application `app`, the database `orders`.

mariadb_programs() { PATH=$PATH:/usr/sbin "$@"; }

# init_mariadb SERVER: empty.
init_mariadb() {
  mariadb_programs as_owner mariadb-install-db --no-defaults --datadir="$RIG/$1" --auth-root-authentication-method=normal \
    --skip-test-db --skip-name-resolve >"$RIG/$1.init.log" 2>&1 || die "no MariaDB can be made: see $RIG/$1.init.log"
}

start_mariadb() {
  mariadb_programs start_part "$1" "$(port "$1")" become_owner setsid mariadbd --no-defaults --datadir="$RIG/$1" \
    --port="$(port "$1")" --bind-address=127.0.0.1 --socket="$RIG/$1/socket" --skip-name-resolve \
    --innodb-buffer-pool-size=32M --innodb-log-file-size=16M --innodb-flush-log-at-trx-commit=2 \
    --transaction-isolation=READ-COMMITTED --character-set-server=utf8mb4 --performance-schema=OFF
}

# ask_mariadb SERVER STATEMENT..., as its superuser.
ask_mariadb() {
  local server=$1
  shift
  env -u MYSQL_PWD mariadb --no-defaults --socket="$RIG/$server/socket" --user=root --batch --skip-column-names -e "$*" orders
}

# make_mariadb_orders SERVER FILE: the database, its tables and whom the application is.
make_mariadb_orders() {
  local password
  password=$(<"$RIG/password")
  env -u MYSQL_PWD mariadb --no-defaults --socket="$RIG/$1/socket" --user=root <<SQL
create database orders;
create user app@127.0.0.1 identified by '$password';
grant select, insert, update, delete on orders.* to app@127.0.0.1;
SQL
  env -u MYSQL_PWD mariadb --no-defaults --socket="$RIG/$1/socket" --user=root orders <"$2"
}
