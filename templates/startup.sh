#!/bin/sh
# Passes as soon as the server takes connections; while it loads its keys, it says so.
set -u

. /etc/valkey/ask.sh

is_alive
