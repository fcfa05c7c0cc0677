#!/bin/sh
# Passes for a member that clients may use: it sees a working cluster and, if it is a replica, is in sync with its primary.
set -u

. /etc/valkey/ask.sh

fail() {
    echo "$1"
    exit 1
}

answer=$(printf 'CLUSTER INFO\nINFO replication\n' | ask) || fail "the server does not answer"

# A member that sees no majority of primaries with slots, or has not joined any cluster yet, says `fail`.
case "$answer" in
    *cluster_state:ok*) ;;
    *) fail "not part of a working cluster" ;;
esac
case "$answer" in
    *role:slave*)
        case "$answer" in
            *master_link_status:up*) ;;
            *) fail "a replica without a link to its primary" ;;
        esac
        ;;
esac
