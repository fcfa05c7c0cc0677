#!/bin/sh
# Passes as soon as the server answers at all; while it loads its keys, it answers that it does.
set -u

. /etc/valkey/ask.sh

answer=$(echo PING | ask) && [ -n "$answer" ]
