# Starts LiteLLM with exactly the config that it is handed. The deployment and the local launchers run this same text
# as `/bin/sh -c`.
#
# Environment: LITELLM_CONFIG (the rendered litellm.yaml), AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_KEY,
# LITELLM_MASTER_KEY, LITELLM_SALT_KEY; LITELLM_PORT (default 4000); TMPDIR, a writable folder (default /tmp).
set -eu
umask 077

refuse() {
  echo "litellm does not start: $1" >&2
  exit 64
}

: "${LITELLM_PORT:=4000}" "${TMPDIR:=/tmp}"
[ -n "${LITELLM_CONFIG-}" ] || refuse 'LITELLM_CONFIG is empty; it holds the rendered litellm.yaml'

# Under these names LiteLLM relays /azure/* to any deployment of the resource.
[ -z "${AZURE_API_KEY-}${AZURE_API_BASE-}" ] ||
  refuse 'AZURE_API_KEY and AZURE_API_BASE open its pass-through; use AZURE_OPENAI_KEY and AZURE_OPENAI_ENDPOINT'

case ${AZURE_OPENAI_ENDPOINT-} in
  http://?* | https://?*) ;;
  *) refuse 'AZURE_OPENAI_ENDPOINT must be a URL such as https://NAME.openai.azure.com' ;;
esac
case ${AZURE_OPENAI_ENDPOINT#*://} in
  */?*) refuse 'AZURE_OPENAI_ENDPOINT must have no path: LiteLLM adds /openai/…' ;;
esac

check_key() {
  case $2 in
    '' | *[!A-Za-z0-9_-]*) refuse "$1 must be letters, digits, - and _ only, and not empty" ;;
  esac
  [ "${#2}" -ge 32 ] || refuse "$1 must have at least 32 characters"
}
check_key AZURE_OPENAI_KEY "${AZURE_OPENAI_KEY-}"
check_key LITELLM_MASTER_KEY "${LITELLM_MASTER_KEY-}"
check_key LITELLM_SALT_KEY "${LITELLM_SALT_KEY-}"

# LiteLLM loads a config only when its name ends in .yaml.
folder=$(mktemp -d "$TMPDIR/litellm.XXXXXX") || refuse "cannot write to $TMPDIR"
printf '%s' "$LITELLM_CONFIG" >"$folder/litellm.yaml" || refuse "cannot write to $folder"

# Prompts reach the log whenever Azure echoes them in an error, at every level of LiteLLM's own but CRITICAL. Told by
# LITELLM_LOG alone, LiteLLM still makes each message, searches it for keys, and drops it then: a quarter of the work of
# an answer that is an error. uvicorn's access lines are Envoy's work, and better there.
cat >"$folder/logging.json" <<'LOGGING'
{
  "version": 1,
  "disable_existing_loggers": false,
  "formatters": {"line": {"format": "{\"level\":\"%(levelname)s\",\"logger\":\"%(name)s\",\"message\":\"%(message)s\"}"}},
  "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
  "loggers": {
    "LiteLLM": {"level": "CRITICAL", "handlers": ["stderr"], "propagate": false},
    "LiteLLM Proxy": {"level": "CRITICAL", "handlers": ["stderr"], "propagate": false},
    "LiteLLM Router": {"level": "CRITICAL", "handlers": ["stderr"], "propagate": false},
    "uvicorn": {"level": "WARNING", "handlers": ["stderr"], "propagate": false},
    "uvicorn.error": {"level": "WARNING"},
    "uvicorn.access": {"level": "CRITICAL"}
  }
}
LOGGING

export LITELLM_LOG=CRITICAL LITELLM_MODE=PRODUCTION LITELLM_LOCAL_MODEL_COST_MAP=True
export LITELLM_DONT_SHOW_FEEDBACK_BOX=True NO_DOCS=True NO_REDOC=True NO_OPENAPI=True DISABLE_ADMIN_UI=True
unset LITELLM_CONFIG

# Only Envoy, in the same network namespace, talks to it.
exec litellm --config "$folder/litellm.yaml" --host 127.0.0.1 --port "$LITELLM_PORT" --log_config "$folder/logging.json"
