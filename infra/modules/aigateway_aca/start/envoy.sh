# Starts Envoy with exactly the config that it is handed, each ${NAME} in it replaced by that environment variable.
# The deployment and the local launchers run this same text as `/bin/sh -c`.
#
# Environment: ENVOY_CONFIG (the rendered envoy.yaml) and every variable that it names: the client keys and
# LITELLM_MASTER_KEY; EDGE_ADDRESS (default 0.0.0.0), EDGE_PORT (default 10000), LITELLM_PORT (default 4000);
# TMPDIR, a writable folder (default /tmp).
set -eu
umask 077

refuse() {
  echo "envoy does not start: $1" >&2
  exit 64
}

: "${EDGE_ADDRESS:=0.0.0.0}" "${EDGE_PORT:=10000}" "${LITELLM_PORT:=4000}" "${TMPDIR:=/tmp}"
[ -n "${ENVOY_CONFIG-}" ] || refuse 'ENVOY_CONFIG is empty; it holds the rendered envoy.yaml'

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

filled=''
rest=$ENVOY_CONFIG
while :; do
  case $rest in
    *'${'*'}'*) ;;
    *) break ;;
  esac
  filled=$filled${rest%%'${'*}
  rest=${rest#*'${'}
  name=${rest%%'}'*}
  rest=${rest#*'}'}
  case $name in
    '' | [0-9]* | *[!A-Z0-9_]*) refuse 'its config has a placeholder that is not the name of an environment variable' ;;
  esac
  eval "value=\${$name-}"
  check_value "$name" "$value"
  filled=$filled$value
done

folder=$(mktemp -d "$TMPDIR/envoy.XXXXXX") || refuse "cannot write to $TMPDIR"
printf '%s' "$filled$rest" >"$folder/envoy.yaml" || refuse "cannot write to $folder"
unset ENVOY_CONFIG filled rest value

# One worker thread: the limits on parallel requests are then exact, and one is far faster than LiteLLM behind it.
exec envoy --config-path "$folder/envoy.yaml" --concurrency 1 --disable-hot-restart --log-level error \
  --file-flush-interval-msec 200
