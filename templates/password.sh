# Sourced by start.sh and renew.sh: the password that is mounted, and the one that the server was last told.

mounted_password() {
    cat /etc/valkey-auth/password
}

told_password() {
    cat /run/valkey/password
}

# Says why a password cannot be used.
refuse_password() {
    case "$1" in
        '') echo "the password is empty; put one into its Secret" ;;
        *'
'*) echo "the password has a line break in it; Valkey's configuration cannot hold one" ;;
    esac
}

# As valkey.conf and valkey-cli read it between double quotes.
quote() {
    printf '%s' "$1" | sed 's/\\/\\\\/g; s/"/\\"/g'
}

# In memory, and whole at every moment.
keep_password() {
    printf '%s' "$1" >/run/valkey/password.new && mv /run/valkey/password.new /run/valkey/password
}
