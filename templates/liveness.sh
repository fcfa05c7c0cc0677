#!/bin/sh
# Fails only for a server that neither answers nor works. One that says nothing because it is at work, with a huge key or a slow
# disk, is seen to be: it runs (R) or waits for its disk (D).
set -u

. /etc/valkey/ask.sh

is_alive && exit 0

read -r process </run/valkey/valkey.pid || exit 1
state=$(sed 's/^.*) //' "/proc/$process/stat" | cut -c 1) || exit 1
case "$state" in
    R | D) exit 0 ;;
esac
echo "the server does not answer, and its process is in state $state"
exit 1
