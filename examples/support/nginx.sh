# shellcheck shell=bash
# nginx in a rig, as somebody unprivileged, in $RIG/nginx. Sourced, after parts.sh.

# start_nginx PORT: its configuration comes in on standard input, without what every one has.
start_nginx() {
  as_owner mkdir -p nginx/tmp
  {
    cat <<'CONF'
pid nginx.pid;
error_log error.log;
worker_processes 2;
worker_shutdown_timeout 5s;
events { worker_connections 1024; }
CONF
    cat
  } | as_owner tee "$RIG/nginx/nginx.conf" >/dev/null
  start_part nginx "$1" become_owner setsid "$(nginx_program)" -p "$RIG/nginx/" -e error.log -c nginx.conf -g 'daemon off;'
}

# Where it keeps what does not fit into memory; lines of `http`.
nginx_folders() {
  local kind
  for kind in client_body proxy fastcgi uwsgi scgi; do echo "  ${kind}_temp_path tmp/$kind;"; done
}

nginx_program() { PATH=$PATH:/usr/sbin command -v nginx; }

# The order that has it read its configuration, for whoever gives orders beside it.
nginx_reload() {
  local nginx
  nginx="$(nginx_program) -p $RIG/nginx/ -e error.log -c nginx.conf -g 'daemon off;'"
  echo "$nginx -t -q && $nginx -s reload"
}
