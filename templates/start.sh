#!/bin/sh
# Starts the server in the foreground.
set -eu

run=/run/valkey
umask 077

# A pod keeps the configuration that it was born with, however often its container restarts: during an upgrade, the ConfigMap
# already holds what an older server would refuse to start on.
if [ ! -f "$run/valkey.conf" ]; then
    cat /etc/valkey/valkey.conf >"$run/valkey.conf.new"
{% if max_memory_percent %}
    # A pod whose template knew of no limit yet has none.
    limit=$(set +u && echo "$MEMORY_LIMIT")
    [ -n "$limit" ] || limit=0
    hundredth=$((limit / 100))
    percent=$(sed -n 's/^maxmemory \(.*\)%$/\1/p' /etc/valkey/live.conf)
    sed "s/^maxmemory .*/maxmemory $((hundredth * percent))/" /etc/valkey/live.conf >>"$run/valkey.conf.new"
{% else %}
    cat /etc/valkey/live.conf >>"$run/valkey.conf.new"
{% endif %}
    mv "$run/valkey.conf.new" "$run/valkey.conf"
fi

# The password goes into a file in memory: it is in no argument and no environment.
: >"$run/auth.conf"
if [ -f /etc/valkey-auth/password ]; then
    . /etc/valkey/password.sh
    password=$(mounted_password)
    reason=$(refuse_password "$password")
    if [ -n "$reason" ]; then
        echo "start.sh: $reason" >&2
        exit 1
    fi
    quoted=$(quote "$password")
    printf 'requirepass "%s"\nprimaryauth "%s"\n' "$quoted" "$quoted" >"$run/auth.conf"
    keep_password "$password"
fi

# Whether this server was a primary with slots that a replica follows.
is_followed() {
    id=$(sed -n 's/^\([^ ]*\) .*myself,master .* connected [0-9].*/\1/p' nodes.conf 2>/dev/null)
    [ -n "$id" ] && grep -q " [^ ]*slave[^ ]* $id " nodes.conf
}

# Whether the server will find keys on disk. What is there without being written to by this configuration is a replica's copy of
# long ago.
finds_keys() {
    if grep -q '^appendonly yes' "$run/valkey.conf"; then
        [ -n "$(ls -A appendonlydir 2>/dev/null)" ]
    else
        grep -q '^save [0-9]' "$run/valkey.conf" && [ -s dump.rdb ]
    fi
}

# A primary that comes back without its keys is empty, and its replicas would copy that. It comes back as a new node instead,
# which owns nothing; a replica takes the shard over, and the agent makes the new node a replica of it. Until then, its replicas
# look for their primary at this address, whoever answers there: so nobody does for a while.
# A copy of long ago would be taken for keys that nobody else has, and is put aside.
if is_followed && ! finds_keys; then
    echo "start.sh: this server owned slots and lost its keys; it starts as a new node, in {{ takeover_seconds }} s" >&2
    sleep {{ takeover_seconds }}
    rm -f nodes.conf
    [ ! -e dump.rdb ] || mv dump.rdb dump.rdb.old
fi

# Read from standard input: nothing that CONFIG REWRITE writes could survive a restart.
exec valkey-server - \
    --include "$run/auth.conf" \
    --cluster-announce-ip "$POD_IP" \
    --replica-announce-ip "$POD_IP" \
    --cluster-announce-hostname "$POD_NAME.{{ nodes_domain }}" \
    <"$run/valkey.conf"
