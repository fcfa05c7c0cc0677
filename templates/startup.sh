#!/bin/sh
# Passes as soon as the server takes connections; while it loads its keys, it says so. For as many seconds as are given, from its
# start on, it also has to be ready: this probe asks every second, that of readiness more seldom, for each question costs a node more
# than the answer costs the server. One that is not ready by then is looked after by the other probes.
set -u

. /etc/valkey/ask.sh

if [ $# -eq 1 ] && started=$(stat -c %Y /run/valkey/valkey.pid 2>/dev/null); then
    age=$(($(date +%s) - started))
    # A clock that was set back tells nothing.
    [ "$age" -lt 0 ] || [ "$age" -ge "$1" ] || exec sh /etc/valkey/readiness.sh
fi
is_alive
