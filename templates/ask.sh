# Sourced by the other scripts: asks the server of this pod, over its socket, so that neither certificates nor address families
# matter. Commands come on standard input, answers go to standard output; the exit code is that of valkey-cli.

socket=/run/valkey/valkey.sock

# While a password is being rotated, the server may still know only the one that it was started with.
ask() {
    commands=$(cat)
    if [ -f /etc/valkey-auth/password ]; then
        answer=$(ask_with /etc/valkey-auth/password) || return 1
        case "$answer" in
            NOAUTH* | WRONGPASS*) answer=$(ask_with /run/valkey/password) || return 1 ;;
        esac
    else
        answer=$(printf '%s\n' "$commands" | timeout 4 valkey-cli -s "$socket" 2>/dev/null) || return 1
    fi
    printf '%s\n' "$answer" | tr -d '\r'
}

ask_with() {
    printf '%s\n' "$commands" | REDISCLI_AUTH=$(cat "$1") timeout 4 valkey-cli -s "$socket" 2>/dev/null
}

# Whether the server takes a connection and does something with it: answers, asks for a password, says that it loads its keys, or
# hangs up because it has as many clients as it may have. Only silence and a connection refused are no sign of life.
is_alive() {
    answer=$(echo PING | timeout 4 valkey-cli -s "$socket" 2>&1)
    code=$?
    case "$answer" in
        *'Could not connect'*) return 1 ;;
    esac
    # What was too slow ends with the one under coreutils, with the other under BusyBox.
    [ "$code" -ne 124 ] && [ "$code" -ne 143 ]
}
