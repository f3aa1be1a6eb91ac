#!/usr/bin/env bash
# Starts one throw-away MongoDB, a replica set not yet initiated, which ends with the process that asked for it.
#   nextest runs it as a set-up script: the address goes to $NEXTEST_ENV, MongoDB ends with nextest.
#   mongod.sh PID                       the address goes to standard output, MongoDB ends with PID.
#   mongod.sh PID OPTION...             the same with a stand-alone server of these options, whatever is there already.
set -euo pipefail

owner=${1:-$PPID}
if (($# == 0)); then
  exec >>"${NEXTEST_ENV:?usage: mongod.sh PID}"
fi
kind=("${@:2}")

# One that is there already is used as it is.
if [[ ${#kind[@]} == 0 && -n ${ROLLCALL_TEST_MONGODB_URI:-} ]]; then
  echo "ROLLCALL_TEST_MONGODB_URI=$ROLLCALL_TEST_MONGODB_URI"
  exit
fi

for mongod in "${ROLLCALL_MONGOD:-}" mongod "${XDG_CACHE_HOME:-$HOME/.cache}/rollcall/bin/mongod" ''; do
  [[ -z $mongod ]] || ! command -v "$mongod" >/dev/null || break
done
if [[ -z $mongod ]]; then
  echo "no mongod: make setup" >&2
  exit 1
fi

# Memory where there is enough of it: each write of the tests waits for the journal.
folder=${TMPDIR:-/tmp}
if shared=$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1) && ((shared > 4 * 1024 * 1024)); then
  folder=/dev/shm
fi
folder=$(mktemp -d "$folder/rollcall-mongod.XXXXXX")
trap 'rm -rf "$folder"' EXIT

if [[ ${#kind[@]} == 0 ]]; then
  kind=(--replSet rs0 --oplogSize 128)
fi
# Hundreds of databases are made and dropped: files that nobody uses are closed soon, or there are too many open in the end.
idle='file_manager=(close_idle_time=15,close_scan_interval=5,close_handle_minimum=100)'
# With --fork the command returns when MongoDB takes connections. A taken port means another try.
for _ in {1..20}; do
  port=$((20000 + RANDOM % 12000))
  if "$mongod" --fork --pidfilepath "$folder/pid" --logpath "$folder/log" --dbpath "$folder" \
    --bind_ip 127.0.0.1 --port "$port" --nounixsocket "${kind[@]}" \
    --wiredTigerCacheSizeGB 0.5 --wiredTigerEngineConfigString "$idle" --setParameter diagnosticDataCollectionEnabled=false >"$folder/start" 2>&1; then
    started=$(<"$folder/pid")
    break
  fi
  grep -q 'Address already in use' "$folder/log" || break
done
if [[ -z ${started:-} ]]; then
  cat "$folder/start" >&2
  tail -n 20 "$folder/log" >&2
  exit 1
fi

# A watcher in a session of its own, holding none of our files, outlives this script and cleans up. Killed, because what
# MongoDB would still write is thrown away; a zombie nobody collects counts as ended.
trap - EXIT
# shellcheck disable=SC2016 # the watcher's own arguments
setsid --fork bash -c '
  alive() { grep -qs "^State:[[:space:]]*[^ZX]" "/proc/$1/status"; }
  while alive "$1" && alive "$2"; do sleep 0.2; done
  kill -KILL "$2"
  until rm -rf "$3"; do sleep 0.1; done
' watcher "$owner" "$started" "$folder" </dev/null >/dev/null 2>&1

echo "ROLLCALL_TEST_MONGODB_URI=mongodb://127.0.0.1:$port/?directConnection=true"
