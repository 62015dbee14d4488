#!/bin/sh
# Creates the passwords that deploy/compose.yaml needs, as files in deploy/secrets. Existing files are kept, because a database
# keeps the password that it was created with.
set -eu
cd "$(dirname "$0")"
mkdir -p secrets
# The mode of the folder keeps other users out. The files themselves must be readable by the users of the containers in which
# they are mounted.
chmod 700 secrets
password() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
# NAME TEXT
secret() {
  [ -e "secrets/$1" ] && return
  printf '%s\n' "$2" >"secrets/$1"
  chmod 444 "secrets/$1"
  echo "secrets/$1"
}
secret postgres.env "POSTGRES_PASSWORD=$(password)"
secret grafana_password "$(password)"
for service in order inventory payment shipping notification; do
  secret "${service}_database" "postgres://quintet_$service:$(password)@postgres/quintet_$service"
done
