# shellcheck shell=bash
# The parts of a rig: programs that run in RIG, each with `PART.log` and `PART.pid`. Sourced, after rig.sh.

# The number of a part's process, in REPLY, if it runs and is ours: a number may have been given to somebody else since.
alive() {
  { read -r REPLY <"$RIG/$1.pid"; } 2>/dev/null && [[ $(readlink "/proc/$REPLY/cwd") == "$RIG"* ]]
}

# launch PART COMMAND...: in the background, in RIG.
launch() {
  local part=$1
  shift
  (
    cd "$RIG"
    "$@" </dev/null >>"$RIG/$part.log" 2>&1 &
    echo $! >"$RIG/$part.pid"
  )
}

# start_part PART PORT COMMAND...: and waits until it can be spoken to.
start_part() {
  local part=$1 port=$2
  shift 2
  launch "$part" "$@"
  ready_or_gone() { answers_on "$port" || ! kill -0 "$(<"$RIG/$part.pid")" 2>/dev/null; }
  # Somebody else may have taken the port since it was found free: then ours is gone.
  if ! await 20 ready_or_gone || ! alive "$part"; then
    tail -n 5 "$RIG/$part.log" >&2
    die "$part does not start"
  fi
}

# A folder for a rig, in RIG, taken down again if what follows fails. KIND names it.
#
# A script that brings up a rig for itself says RIG_OWNER=$$: should it be killed, the next `up` clears away what it left.
new_rig() { # new_rig KIND SCRIPT
  sweep "$1" "$2"
  RIG=$(mktemp -d "/var/tmp/$1.XXXXXX")
  export RIG
  trap '[[ $? == 0 ]] || down' EXIT
  echo "${RIG_OWNER:-}" >"$RIG/owner"
  chmod 755 "$RIG"
  RUN_AS=''
  if ((EUID == 0)); then
    RUN_AS=nobody
    ! id -u "${RIG_USER:=nobody}" >/dev/null 2>&1 || RUN_AS=$RIG_USER
    chown "$RUN_AS" "$RIG"
  fi
  echo "RUN_AS=$RUN_AS" >"$RIG/rig.env"
}

# free_ports NAME...: PORT_NAME of each, from now on and for whoever reads rig.env.
free_ports() {
  local name
  for name in "$@"; do
    free_port
    echo "PORT_$name=$REPLY" >>"$RIG/rig.env"
    printf -v "PORT_$name" %s "$REPLY"
  done
}

# Every part at once, with its own processes where it leads a group, for nothing in a rig is worth a clean end, and every
# PostgreSQL. Then the folder. What is still at work in it then was started by nobody: that is a fault of the rig.
remove_rig() {
  local file name
  for file in "$RIG"/*/postmaster.pid; do
    name=${file%/postmaster.pid}
    { read -r REPLY <"$file"; } 2>/dev/null || continue
    [[ $(readlink "/proc/$REPLY/cwd") != "$name" ]] || kill -QUIT "$REPLY" 2>/dev/null || true
  done
  for file in "$RIG"/*.pid; do
    name=${file##*/}
    ! alive "${name%.pid}" || kill -KILL -- "-$REPLY" 2>/dev/null || kill -KILL "$REPLY" 2>/dev/null || true
  done
  await 10 nobody_at_work || true
  rm -rf "$RIG"
  nobody_at_work || die "$(<"$process/comm"), process ${process##*/}, is still at work in $RIG"
}
nobody_at_work() {
  for process in /proc/[0-9]*; do
    [[ $(readlink "$process/cwd") != "$RIG"* ]] || return 1
  done
}

# Rigs of scripts that are no more.
sweep() { # sweep KIND SCRIPT
  local folder owner
  for folder in "/var/tmp/$1".*; do
    owner=
    { read -r owner <"$folder/owner"; } 2>/dev/null || true
    [[ -n $owner && -O $folder/owner ]] || continue
    ! grep -azq "$1" "/proc/$owner/cmdline" 2>/dev/null || continue
    echo "clearing away $folder, which a killed script has left" >&2
    RIG=$folder "$2" down
  done
}
