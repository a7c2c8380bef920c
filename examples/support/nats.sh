# shellcheck shell=bash
# A NATS server with JetStream in a rig: clients on PORT_NATS, its monitoring on PORT_NATS_MONITOR. Sourced, after parts.sh.

start_nats() {
  as_owner mkdir -p "$RIG/jetstream"
  PATH=$PATH:/usr/sbin start_part nats "$PORT_NATS" become_owner setsid nats-server -a 127.0.0.1 -p "$PORT_NATS" \
    -m "$PORT_NATS_MONITOR" -js -sd "$RIG/jetstream"
  await 10 answers_on "$PORT_NATS_MONITOR" || die 'NATS has no monitoring'
}

# Stopped as by a host that hangs: connections stay open and nothing comes.
halt_nats() { alive nats && kill -STOP "$REPLY"; }
wake_nats() { alive nats && kill -CONT "$REPLY"; }
