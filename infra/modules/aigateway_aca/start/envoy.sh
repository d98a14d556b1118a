# Starts Envoy with exactly the config that it is handed, each ${NAME} in it replaced by that environment variable.
# The deployment and the local launchers run this same text as `/bin/sh -c`.
#
# Environment: ENVOY_CONFIG (the rendered envoy.yaml) and every variable that it names: the client keys and
# LITELLM_MASTER_KEY; EDGE_ADDRESS (default 0.0.0.0), EDGE_PORT (default 10000), LITELLM_PORT (default 4000);
# TERMINATION_GRACE_SECONDS, after which the platform kills what it has told to stop (default 600);
# TMPDIR, a writable folder (default /tmp).
set -eu
umask 077

refuse() {
  echo "envoy does not start: $1" >&2
  exit 64
}

: "${EDGE_ADDRESS:=0.0.0.0}" "${EDGE_PORT:=10000}" "${LITELLM_PORT:=4000}" "${TMPDIR:=/tmp}"
: "${TERMINATION_GRACE_SECONDS:=600}"
[ -n "${ENVOY_CONFIG-}" ] || refuse 'ENVOY_CONFIG is empty; it holds the rendered envoy.yaml'
case $TERMINATION_GRACE_SECONDS in
  *[!0-9]*) refuse 'TERMINATION_GRACE_SECONDS must be a whole number of seconds' ;;
esac
command -v bash >/dev/null || refuse 'there is no bash, without which it cannot stop and let streams finish'

# A value goes into YAML unseen, so its form is checked: nothing in it can end a string or open a list, and a key
# that is too short to be secret is refused. Only the name is ever printed.
check_value() {
  case $1 in
    *_KEY | *_KEY_*)
      case $2 in
        '' | *[!A-Za-z0-9_-]*) refuse "$1 must be letters, digits, - and _ only, and not empty" ;;
      esac
      [ "${#2}" -ge 32 ] || refuse "$1 must have at least 32 characters"
      ;;
    *)
      case $2 in
        '' | *[!A-Za-z0-9.:]*) refuse "$1 must be letters, digits, . and : only, and not empty" ;;
      esac
      ;;
  esac
}

misnamed='its config has a placeholder that is not the name of an environment variable'

# Fills in every placeholder of one line.
fill() {
  filled=''
  while :; do
    case $line in
      *'${'*'}'*) ;;
      *) break ;;
    esac
    filled=$filled${line%%'${'*}
    line=${line#*'${'}
    name=${line%%'}'*}
    line=${line#*'}'}
    case $name in
      '' | [0-9]* | *[!A-Z0-9_]*) refuse "$misnamed" ;;
    esac
    eval "value=\${$name-}"
    check_value "$name" "$value"
    filled=$filled$value
  done
  line=$filled$line
}

# Line by line: with the whole text at once a shell is busy for a second.
config=''
end=''
while IFS= read -r line; do
  case $line in
    *'${'*) fill ;;
  esac
  config=$config$end$line
  end='
'
done <<CONFIG
$ENVOY_CONFIG
CONFIG
case $config in
  *'${'*'}'*) refuse "$misnamed" ;; # it goes over the end of a line
esac

folder=$(mktemp -d "$TMPDIR/envoy.XXXXXX") || refuse "cannot write to $TMPDIR"
printf '%s' "$config" >"$folder/envoy.yaml" || refuse "cannot write to $folder"
unset ENVOY_CONFIG config line filled value

# Envoy ends at SIGTERM at once, with every stream that it carries, unless it is told otherwise over its admin
# interface. That is there for this script alone: on the loopback, and without the paths that show keys.
admin='admin:
  address: {socket_address: {address: 127.0.0.1, port_value: 0}}
  allow_paths: [{exact: /healthcheck/fail}, {exact: /drain_listeners}, {prefix: "/stats?filter="}]'

# Of the shells only bash can speak to a port, and Envoy's image has no other client.
ask_admin() {
  bash -c 'exec 3<>"/dev/tcp/${1%:*}/${1##*:}" &&
    printf "%s %s HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n" "$2" "$3" >&3 && cat <&3' \
    - "$(cat "$folder/admin")" "$1" "$2" 2>/dev/null
}

is_busy() {
  case $(ask_admin GET '/stats?filter=^http.edge.downstream_rq_active$') in
    *'downstream_rq_active: 0'*) return 1 ;;
    *'downstream_rq_active: '*) return 0 ;;
    *) return 1 ;; # it is not there yet, or not any more
  esac
}

# New connections are refused, those that are open close after their answer, and Envoy ends when all are answered;
# or a little before the platform would kill it, so that its last log lines are written.
stop() {
  trap '' TERM INT
  set +eu
  deadline=$(($(date +%s) + TERMINATION_GRACE_SECONDS - 5))
  ask_admin POST /healthcheck/fail >/dev/null
  ask_admin POST /drain_listeners >/dev/null
  while is_busy && [ "$(date +%s)" -lt "$deadline" ]; do
    sleep 0.2
  done
  kill -TERM "$!" 2>/dev/null
  wait "$!"
  exit $?
}
trap stop TERM INT

# One worker thread: the limits on parallel requests are then exact, and one is far faster than LiteLLM behind it.
envoy --config-path "$folder/envoy.yaml" --concurrency 1 --disable-hot-restart --log-level error \
  --file-flush-interval-msec 200 --config-yaml "$admin" --admin-address-path "$folder/admin" &
wait "$!"
