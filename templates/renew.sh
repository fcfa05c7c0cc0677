#!/bin/sh
# Tells the running server of what has changed in its Secrets. Runs with every readiness probe: no restart is needed, and nobody but the
# pod itself has to know what the password was before.
set -u

. /etc/valkey/ask.sh

complain() {
    echo "renew.sh: $1" >&2
    exit 1
}

# The server takes a new password besides the one before, which whoever has not moved over yet goes on using. Older ones end here.
take_password() {
    reason=$(refuse_password "$new")
    [ -z "$reason" ] || complain "$reason"
    answer=$(ask <<END
ACL SETUSER default resetpass ">$(quote "$old")" ">$(quote "$new")"
CONFIG SET primaryauth "$(quote "$new")"
END
    )
    [ "$answer" = "OK
OK" ] || complain "the server does not take the password: $answer"
    keep_password "$new"
}

if [ -f /etc/valkey-auth/password ]; then
    . /etc/valkey/password.sh
    new=$(mounted_password)
    old=$(told_password)
    [ "$new" = "$old" ] || take_password
fi
{% if tls and not tls.reload_seconds %}

# A server of a series that does not look at the files by itself. It goes on with the old ones while they do not fit together.
folder=/etc/valkey-tls
loaded=/run/valkey/certificate
now=$(cat "$folder/tls.crt" "$folder/tls.key" "$folder/ca.crt" | cksum)
if [ "$now" != "$(cat "$loaded" 2>/dev/null)" ]; then
    answer=$(echo "CONFIG SET tls-cert-file $folder/tls.crt tls-key-file $folder/tls.key tls-ca-cert-file $folder/ca.crt" | ask)
    [ "$answer" = OK ] || complain "the server does not take the certificate: $answer"
    echo "$now" >"$loaded"
fi
{% endif %}
