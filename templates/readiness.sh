#!/bin/sh
# Passes for a member that clients may use: it sees a working cluster and, if it is a replica, is in sync with its primary.
set -u

# A server that cannot be told what is new serves all the same.
sh /etc/valkey/renew.sh

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
# The state alone is about the slots that somebody owns: with one slot of 16,384 assigned, it would be `ok`.
case "$answer" in
    *cluster_slots_assigned:16384*) ;;
    *) fail "not all slots are assigned" ;;
esac
case "$answer" in
    *role:slave*)
        case "$answer" in
            *master_link_status:up*) ;;
            *) fail "a replica without a link to its primary" ;;
        esac
        ;;
esac
