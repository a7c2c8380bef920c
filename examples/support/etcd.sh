# shellcheck shell=bash
# An etcd of one member in a rig, on PORT_ETCD and PORT_ETCD_PEER. Sourced, after parts.sh.

export ETCDCTL_API=3

start_etcd() {
  start_part etcd "$PORT_ETCD" become_owner setsid etcd --data-dir "$RIG/etcd" --logger zap --log-level error \
    --listen-client-urls "http://127.0.0.1:$PORT_ETCD" --advertise-client-urls "http://127.0.0.1:$PORT_ETCD" \
    --listen-peer-urls "http://127.0.0.1:$PORT_ETCD_PEER" --initial-advertise-peer-urls "http://127.0.0.1:$PORT_ETCD_PEER" \
    --initial-cluster "default=http://127.0.0.1:$PORT_ETCD_PEER" --unsafe-no-fsync
  await 30 etcd_get / || die 'etcd does not answer'
}
etcd_get() { etcdctl --endpoints "http://127.0.0.1:$PORT_ETCD" get --print-value-only "$1"; }
etcd_put() { etcdctl --endpoints "http://127.0.0.1:$PORT_ETCD" put "$1" "$2" >/dev/null; }
