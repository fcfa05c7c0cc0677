#!/bin/sh
# Runs before the server is told to stop: if it is a primary, hands its shard to the replica that has most of its keys. A planned
# failover holds writes for some fifty milliseconds, a stop without one for seconds. Where the agent has done so already, or where
# there is no replica to take over, there is nothing to do; whatever fails in here, the server is stopped all the same.
set -u

. /etc/valkey/ask.sh

role() {
    echo 'ROLE' | ask | head -n 1
}

# The address of the replica in sync that is furthest ahead.
best_replica() {
    echo 'INFO replication' | ask | sed -n \
        's/^slave[0-9]*:ip=\(.*\),port=[0-9]*,state=online,offset=\([0-9]*\),lag=[01]\(,.*\)*$/\2 \1/p' |
        sort -rn | head -n 1 | cut -d ' ' -f 2
}

# The bus has a live link to the replica at that address.
is_linked() {
    echo 'CLUSTER NODES' | ask | grep -q " $1:[0-9]*@.* slave .* connected"
}

# Fails where the replica refuses, so that nothing is waited for.
fail_over() {
    timeout 4 valkey-cli -e -h "$replica" -p {{ client_port }}{% if tls %} --tls --cacert /etc/valkey-tls/ca.crt \
        --cert /etc/valkey-tls/tls.crt --key /etc/valkey-tls/tls.key{% endif %} CLUSTER FAILOVER
}

# While a password is being rotated, the replica may still know only the one that this server was started with.
hand_over() {
{% if auth %}
    for file in /etc/valkey-auth/password /run/valkey/password; do
        REDISCLI_AUTH=$(cat "$file")
        export REDISCLI_AUTH
        fail_over && return 0
    done
    return 1
{% else %}
    fail_over
{% endif %}
}

if [ "$(role)" != master ]; then
    exit 0
fi
replica=$(best_replica)
if [ -z "$replica" ] || ! is_linked "$replica"; then
    echo "stop.sh: no replica in sync to hand over to"
    exit 0
fi
hand_over || exit 0

tries=0
while [ "$(role)" = master ] && [ "$tries" -lt {{ failover_tries }} ]; do
    tries=$((tries + 1))
    sleep 0.1
done
