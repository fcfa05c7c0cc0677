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

if [ "$(role)" != master ]; then
    exit 0
fi
replica=$(best_replica)
if [ -z "$replica" ] || ! is_linked "$replica"; then
    echo "stop.sh: no replica in sync to hand over to"
    exit 0
fi
{% if auth %}
REDISCLI_AUTH=$(cat /etc/valkey-auth/password)
export REDISCLI_AUTH
{% endif %}
timeout 4 valkey-cli -h "$replica" -p {{ client_port }}{% if tls %} --tls --cacert /etc/valkey-tls/ca.crt \
    --cert /etc/valkey-tls/tls.crt --key /etc/valkey-tls/tls.key{% endif %} CLUSTER FAILOVER || exit 0

tries=0
while [ "$(role)" = master ] && [ "$tries" -lt {{ failover_wait_seconds }}0 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
