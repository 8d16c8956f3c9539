#!/bin/sh
# Stands in for the entry point of the image postgres: makes the database that its variables describe, then runs the command.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    umask 077
    printf '%s\n' "$POSTGRES_PASSWORD" >"$STATE/password"
    # shellcheck disable=SC2086 # options, separated by spaces
    initdb --username "$POSTGRES_USER" --pwfile "$STATE/password" --encoding UTF8 --locale C $POSTGRES_INITDB_ARGS
    rm "$STATE/password"
    # The image listens everywhere; this machine is not for everybody.
    printf "listen_addresses = '127.0.0.1'\nunix_socket_directories = '%s'\n" "$STATE" >>"$PGDATA/postgresql.conf"
    echo "CREATE DATABASE $POSTGRES_DB" | postgres --single postgres
fi
exec "$@"
