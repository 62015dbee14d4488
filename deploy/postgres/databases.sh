# Creates a database and a role for each service when the server starts for the first time. No service can open the database of
# another.
for service in order inventory payment shipping notification; do
  url=$(cat "/run/secrets/${service}_database")
  password=${url#*://*:}
  password=${password%%@*}
  psql -v ON_ERROR_STOP=1 -v name="quintet_$service" -v password="$password" \
    --username "$POSTGRES_USER" --dbname postgres <<'SQL'
create role :"name" login password :'password';
create database :"name" owner :"name";
revoke all on database :"name" from public;
SQL
done
