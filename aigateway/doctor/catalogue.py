"""Every check that the doctor makes and every trouble that it can find, with what it means and what to do.

docs/doctor.md is made of it. What clients do was seen on the wire (features/clients), or is in their sources.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["warning", "problem"]


@dataclass(frozen=True)
class Check:
    """One line of the output. It is made when none of `needs` failed, and takes no longer than `seconds`."""

    id: str
    title: str
    question: str
    needs: tuple[str, ...] = ()
    seconds: float = 5.0


@dataclass(frozen=True)
class Trouble:
    """Something that can be wrong. `blocks`: what needs the check that found it need not be tried."""

    id: str
    severity: Severity
    title: str
    means: str
    advice: str
    blocks: bool = False


def _problem(name: str, title: str, means: str, advice: str, *, blocks: bool = False) -> Trouble:
    return Trouble(name, "problem", title, means, advice, blocks)


def _warning(name: str, title: str, means: str, advice: str) -> Trouble:
    return Trouble(name, "warning", title, means, advice)


# --- the checks, in the order in which they are told ---

BASE_URL = Check("base-url", "base URL", "is it the address of a gateway, and fit to send a key to?")
PROXY = Check(
    "proxy", "proxy variables", "do HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY send all clients one way?"
)
KEY_FORM = Check("key-form", "key's form", "is AIGATEWAY_KEY a key, and nothing but it?")
NAME = Check("name", "name", "does DNS know the host, or that of the proxy?", ("base-url", "proxy"), 4)
CONNECTION = Check(
    "connection", "connection", "does the port answer, through the proxy if any?", ("name",), 4
)
TLS = Check(
    "tls", "TLS", "is the certificate valid here, and for clients with roots of their own?", ("connection",)
)
GATEWAY = Check("gateway", "gateway", "does /healthz answer, how fast, and is it a gateway?", ("tls",), 10)
CLOCK = Check("clock", "clock", "does this machine's clock agree with the gateway's?", ("gateway",))
BETWEEN = Check(
    "between", "in between", "do the answers show somebody between here and the gateway?", ("gateway",)
)
KEY = Check("key", "key", "does the gateway take the key?", ("key-form", "gateway"))
MODELS = Check("models", "models", "does it serve the models that are expected?", ("key",))
RESPONSES = Check("responses", "/v1/responses", "does the model answer?", ("key",), 12)
STREAMING = Check(
    "streaming",
    "streaming",
    "do the events come one by one, soon, without long gaps, to the end?",
    ("responses",),
)
EMBEDDINGS = Check("embeddings", "/v1/embeddings", "does it give vectors of the right length?", ("key",), 10)
CLIENT_URL = Check(
    "client-url", "client's base URL", "is the base URL in the form that this client wants?", ("base-url",)
)
CLIENT_REQUEST = Check(
    "client-request", "client's request", "is a request as this client sends it taken?", ("key",), 10
)
INDEXING = Check(
    "indexing",
    "indexing",
    "does a batch of 60 give 60 vectors, in order, as long as this client takes them to be?",
    ("key",),
    10,
)
WEBSOCKET = Check("websocket", "WebSocket", "is Codex's WebSocket refused with 426, at once?", ("key",))
ROO_MODEL = Check("roo-model", "Roo's model", "does Roo know the model by its name?", ("key",))
ROO_ERRORS = Check("roo-errors", "Roo's errors", "does Roo get to see what was really wrong?", ("key",))
STORED = Check(
    "stored", "stored answers", "is an answer kept, so that the next turn can name it?", ("client-request",)
)

CHECKS = (
    BASE_URL,
    PROXY,
    KEY_FORM,
    NAME,
    CONNECTION,
    TLS,
    GATEWAY,
    CLOCK,
    BETWEEN,
    KEY,
    MODELS,
    RESPONSES,
    STREAMING,
    EMBEDDINGS,
    CLIENT_URL,
    CLIENT_REQUEST,
    INDEXING,
    WEBSOCKET,
    ROO_MODEL,
    ROO_ERRORS,
    STORED,
)

# --- the base URL and the key ---

# github.com/arbs-io/github-copilot-llm-gateway/issues/21: models are listed, answers fail
URL_HAS_ENDPOINT = _warning(
    "url-has-endpoint",
    "The base URL holds more than the gateway's address",
    "Clients append /responses or /embeddings to their base URL by themselves, so that an endpoint, or a second "
    "/v1, stands in it twice.",
    "Give clients the base URL up to and including one /v1, with nothing behind it.",
)
PLAIN_HTTP = _problem(
    "plain-http",
    "The base URL begins with http://",
    "Key, prompts and code would cross the network for everybody to read; the doctor has not sent the key.",
    "Write https:// in the client's base URL. If the key was used over http:// before, have it rotated.",
    blocks=True,
)
# github.com/conductor-oss/conductor/issues/1437: 'Unexpected char 0x0a in Authorization value'
KEY_UNTIDY = _problem(
    "key-untidy",
    "There is something around the key",
    "Clients send the key as it stands: a line break breaks the header before anything is sent, and quotation marks, "
    "spaces or a word 'Bearer' make it another key. The doctor went on with what is inside.",
    "Set it anew without what is around it: read -rs AIGATEWAY_KEY && export AIGATEWAY_KEY, then paste the key alone; "
    "in a client's settings and in a .env file, look for quotation marks, spaces and line breaks at both ends.",
)
KEY_BROKEN = _problem(
    "key-broken",
    "The key is no key",
    "It is too short, or there is a space, a line break, or a letter that no key has, in the middle of it: a piece is "
    "missing, two lines were pasted, or it is something else. It was not sent.",
    "Copy the key again, from whoever runs the gateway, as one line.",
    blocks=True,
)

# --- the way there ---

PROXY_UNUSABLE = _problem(
    "proxy-unusable",
    "The proxy variable holds no usable proxy",
    "It is no address such as http://HOST:PORT, or it is a SOCKS proxy, which neither Node's clients nor the doctor "
    "can use.",
    "Set HTTPS_PROXY and HTTP_PROXY to an http:// address of the proxy, with special characters of a login as %XX, or "
    "unset them.",
    blocks=True,
)
# github.com/openai/codex/issues/13811: curl worked, Codex did not
PROXY_CASES_DIFFER = _warning(
    "proxy-cases-differ",
    "A proxy variable says one thing in lower case and another in capitals",
    "curl and Python go by the lower case, Codex by the capitals: one program works where the other does not.",
    "Give both spellings one value, or unset one, in the shell's profile and where the editor is started.",
)
NO_PROXY_AMBIGUOUS = _warning(
    "no-proxy-ambiguous",
    "Clients read NO_PROXY in different ways",
    "By one reading the gateway is reached directly, by another through the proxy: Python and curl take example.com "
    "for all names that end so, Node's clients for that name alone; *.example.com and ranges of addresses are "
    "understood by some only.",
    "Put the gateway's whole host name into NO_PROXY and no_proxy; every client understands that.",
)
PROXY_FOR_THIS_MACHINE = _problem(
    "proxy-for-this-machine",
    "A gateway on this machine is asked for through a proxy",
    "A proxy elsewhere cannot reach an address that means this machine.",
    "export NO_PROXY=localhost,127.0.0.1,::1 no_proxy=localhost,127.0.0.1,::1",
)
NAME_UNKNOWN = _problem(
    "name-unknown",
    "DNS does not know the host",
    "A typing mistake, an environment that is not deployed or was made anew under another name, a VPN that is off, or "
    "a network whose DNS knows only names of its own.",
    "Compare the base URL with what whoever runs the gateway says (Terraform's output base_url); try `nslookup HOST`, "
    "with and without the VPN.",
    blocks=True,
)
NAME_SLOW = _problem(
    "name-slow",
    "DNS does not answer in time",
    "Clients that look the name up wait as long, with each new connection, and many give up.",
    "Check the network and the VPN; a DNS server that is set but cannot be reached is the usual cause.",
    blocks=True,
)
PORT_CLOSED = _problem(
    "port-closed",
    "Nobody listens at that port",
    "The host is there, but refuses the connection: a wrong port, a gateway that is not running, or a firewall that "
    "says so.",
    "Check the port in the base URL (a deployed gateway has none, and is at 443); on this machine, start it: "
    "aigateway up.",
    blocks=True,
)
UNREACHABLE = _problem(
    "unreachable",
    "The host cannot be reached",
    "No way leads there, or what is on it drops the connection: a firewall, an allow-list of addresses, a VPN that is "
    "off or on.",
    "Try another network or the VPN. Where the gateway has an allow-list (ingress.allowed_ip_ranges in its settings), "
    "ask for the address that this machine has outside to be put on it.",
    blocks=True,
)
PROXY_WANTS_LOGIN = _problem(
    "proxy-wants-login",
    "The proxy wants a login (407)",
    "Neither the doctor nor most clients can log in by Kerberos or NTLM; they send what stands in the variable.",
    "Put the login into the variable, http://USER:PASSWORD@HOST:PORT with special characters as %XX, or run a local "
    "proxy that logs in (px, cntlm); or have the gateway's host exempted and put it into NO_PROXY.",
    blocks=True,
)
PROXY_REFUSES = _problem(
    "proxy-refuses",
    "The proxy does not let the connection through",
    "The proxy answers, and does not make a connection to the gateway.",
    "Have the gateway's host allowed by whoever runs the proxy; or, if it can be reached directly, put it into "
    "NO_PROXY and no_proxy.",
    blocks=True,
)

# --- TLS ---

CERTIFICATE_EXPIRED = _problem(
    "certificate-expired",
    "The certificate is not valid any more",
    "No client connects. If only this machine says so, its clock is wrong.",
    "Check this machine's date. If it is right, the gateway's certificate has to be renewed by whoever runs it.",
    blocks=True,
)
CERTIFICATE_NOT_YET_VALID = _problem(
    "certificate-not-yet-valid",
    "The certificate is not valid yet",
    "Nearly always this machine's clock is slow.",
    "Set the clock: turn on automatic time, or run `sudo ntpdate pool.ntp.org`; in WSL, `sudo hwclock -s`.",
    blocks=True,
)
CERTIFICATE_UNTRUSTED = _problem(
    "certificate-untrusted",
    "The certificate is by nobody whom this machine trusts",
    "It is self-signed, or a proxy or virus scanner reads along and shows a certificate of its own; the issuer's name "
    "says which. The key was not sent.",
    "If it is your organisation's proxy, get its root certificate as a PEM file, and set SSL_CERT_FILE (Python, "
    "Codex, curl: with the public ones in the same file) and NODE_EXTRA_CA_CERTS (Roo, Cline, Kilo, Continue, Qoder, "
    "opencode) to it. Do not turn verification off: whoever is in between would get the key.",
    blocks=True,
)
CERTIFICATE_OF_ANOTHER = _problem(
    "certificate-of-another",
    "The certificate is for another host",
    "The base URL has another name, or an address in place of the name, or somebody else answers. The key was not "
    "sent.",
    "Use the name that the certificate is for; where it should be this one, the gateway's custom domain lacks its "
    "certificate.",
    blocks=True,
)
CERTIFICATE_ENDS_SOON = _warning(
    "certificate-ends-soon",
    "The certificate ends soon",
    "Certificates that the platform manages are renewed weeks before; one that is not will stop every client.",
    "Tell whoever runs the gateway.",
)
# github.com/anomalyco/opencode/issues/640, github.com/RooCodeInc/Roo-Code/issues/4446
PRIVATE_AUTHORITY = _warning(
    "private-authority",
    "The certificate is valid for this machine, and not for clients with roots of their own",
    "It is by an authority that only this machine was told to trust, as an intercepting proxy's is. Programs on Node "
    "(Roo, Cline, Kilo, Continue, Qoder, opencode) and Python's have roots of their own and end with 'self-signed "
    "certificate in certificate chain' or 'unable to get local issuer certificate'.",
    "Set NODE_EXTRA_CA_CERTS to the authority's PEM file where the editor or the command is started, and SSL_CERT_FILE "
    "for programs in Python; then restart the editor wholly.",
)
VERIFICATION_OFF = _warning(
    "verification-off",
    "NODE_TLS_REJECT_UNAUTHORIZED=0 is set",
    "Clients on Node then send key and code to whoever answers.",
    "Unset it, and set NODE_EXTRA_CA_CERTS to the missing root certificate in its place.",
)
TLS_NOT_SPOKEN = _problem(
    "tls-not-spoken",
    "What listens there does not speak TLS",
    "The base URL says https://, and the port answers otherwise: a gateway on this machine speaks http://, and a "
    "deployed one https:// at port 443 only.",
    "For a gateway of `aigateway up`, write http://127.0.0.1:PORT; for a deployed one leave the port out.",
    blocks=True,
)
TLS_WANTED = _problem(
    "tls-wanted",
    "What listens there wants TLS",
    "The base URL says http://, and what answers wants https:// or sends there.",
    "Write https:// in the base URL.",
    blocks=True,
)
TLS_BROKEN = _problem(
    "tls-broken",
    "The connection breaks while TLS begins",
    "A firewall that cuts connections by host name, a proxy, or versions of TLS that do not fit.",
    "Try another network; if it works there, have the host allowed here. The gateway takes TLS 1.2 and newer.",
    blocks=True,
)

# --- who answers ---

NO_ANSWER = _problem(
    "no-answer",
    "No answer in time",
    "A gateway that was scaled to zero takes some 20 to 60 s for its first answer; otherwise it hangs, or something on "
    "the way holds the answer back.",
    "Run the doctor again in a minute: the first request has woken the gateway up. If it stays so, ask whoever runs "
    "it; scale.min_replicas: 1 in its settings avoids the wait.",
    blocks=True,
)
GATEWAY_SLOW = _warning(
    "gateway-slow",
    "The gateway's first answer was slow",
    "It may have just been started, from no replica; then the next answers are fast. Qoder gives up when the first "
    "piece of an answer takes longer than 60 s.",
    "Run the doctor again; if it is still slow, the network is, or the gateway has too few replicas.",
)
CONNECTION_BROKE = _problem(
    "connection-broke",
    "The connection broke before the answer",
    "The gateway was restarted just now, or something on the way cuts connections.",
    "Run the doctor again. If it happens each time, try without VPN or proxy, and on another network.",
    blocks=True,
)
SENT_ELSEWHERE = _problem(
    "sent-elsewhere",
    "The answer sends to another address",
    "The gateway redirects nobody: a sign-in page of the network (hotel, guest Wi-Fi), or of a proxy, answers in its "
    "place.",
    "Open any http:// page in a browser, sign in, and run the doctor again; or correct the base URL.",
    blocks=True,
)
PAGE_INSTEAD = _problem(
    "page-instead",
    "A web page comes in the place of an answer",
    "The gateway sends JSON only: a proxy's block page, a sign-in page, or another site at this address.",
    "Open the base URL in a browser and read what the page says; it names who is in between. Then have the host "
    "allowed there, or correct the base URL.",
    blocks=True,
)
APP_STOPPED = _problem(
    "app-stopped",
    "Azure says that the Container App is stopped or does not exist",
    "The address is one of Azure Container Apps, and nothing serves there.",
    "Compare the base URL with Terraform's output base_url; whoever runs the gateway can start the app.",
    blocks=True,
)
NO_HEALTH = _warning(
    "no-health",
    "There is no /healthz",
    "Every gateway of this project has it: the address may be that of something else, or the path in it wrong.",
    "Compare the base URL with what whoever runs the gateway says.",
)
UNAVAILABLE = _problem(
    "unavailable",
    "The gateway is starting, restarting, or down (502, 503, 504)",
    "Who answers is there, and what should answer behind it is not, or the model did not answer in time.",
    "Try again in a minute; if it stays so, whoever runs the gateway finds the reason in its log by the request id.",
    blocks=True,
)
SERVER_FAILED = _problem(
    "server-failed",
    "The gateway or Azure failed (500)",
    "The request was right as far as that can be seen; the gateway has tried more than once.",
    "Try again in a minute; if it stays so, give whoever runs the gateway the request id.",
    blocks=True,
)
CLOCK_OFF = _problem(
    "clock-off",
    "This machine's clock is wrong",
    "Certificates and logins are judged by the clock: some clients fail to connect or to sign in, and times in logs do "
    "not match.",
    "Turn on automatic time (`timedatectl set-ntp true`); in WSL after sleep, `sudo hwclock -s`.",
)
SOMEBODY_BETWEEN = _warning(
    "somebody-between",
    "Something passes the answers on",
    "Headers name a proxy, a cache or a scanner. That is no fault; where streaming or long answers fail, look there "
    "first.",
    "Where streaming is wrong, have the gateway's host exempted from inspection and caching there.",
)

# --- what the gateway says ---

KEY_REFUSED = _problem(
    "key-refused",
    "The gateway refuses the key (401)",
    "It is another environment's key, was rotated, or lost a piece.",
    "Ask whoever runs the gateway for this environment's key; each environment has its own. Clients send it as "
    "'Authorization: Bearer KEY'.",
    blocks=True,
)
AZURE_KEY_REFUSED = _problem(
    "azure-key-refused",
    "Azure refuses the gateway's own key (401)",
    "This machine's key is right: the gateway took it, and handed on what Azure says. Azure's key was regenerated, and "
    "the gateway has the old one, or one of another account.",
    "Tell whoever runs the gateway, with the request id: Azure's key in the environment's vault has to be renewed.",
    blocks=True,
)
FORBIDDEN = _problem(
    "forbidden",
    "The request is forbidden (403)",
    "A firewall before the gateway, its allow-list, or Azure's network rules refuse it; the key is not the reason.",
    "Tell whoever runs the gateway what the message says, and the address that this machine has outside.",
    blocks=True,
)
ENDPOINT_MISSING = _problem(
    "endpoint-missing",
    "The endpoint is not there (404)",
    "The address is that of something else, a path in the base URL is wrong, or a proxy serves only some paths.",
    "Take the base URL as whoever runs the gateway says it, with /v1 at the end and nothing behind that.",
)
MODEL_UNKNOWN = _problem(
    "model-unknown",
    "The gateway does not serve this model",
    "The name in the client's settings is not one that the gateway knows; it must be the same to the letter.",
    "Use one of the names in the line 'models'. Give the doctor the client's: --model, --embedding-model. Roo's "
    "provider 'OpenAI' sends gpt-5.1-codex-max where it does not know the name: use 'OpenAI Compatible' there, or a "
    "name that it knows.",
)
DEPLOYMENT_MISSING = _problem(
    "deployment-missing",
    "Azure has no such deployment",
    "The gateway knows the model, and Azure does not know the deployment that the gateway's settings name.",
    "Whoever runs the gateway compares azure.*.deployment in its settings with the deployments of the Azure resource; "
    "a new one takes some 5 minutes.",
)
OPERATION_UNSUPPORTED = _problem(
    "operation-unsupported",
    "Azure does not do this with this model",
    "A model of the Responses API is asked by chat completions, or a language model for vectors, past the gateway's "
    "bridge.",
    "Check that the client talks to the gateway and not to Azure itself, and that model and embedding model are not "
    "interchanged.",
)
RATE_LIMITED = _problem(
    "rate-limited",
    "Too many requests (429)",
    "The client's share, or Azure's quota, is used up for the moment; an indexing at the same time is the usual "
    "reason. Codex does not try again after a 429, all others do.",
    "Wait for the time that the line says, and run the doctor again. If it happens in daily work, ask for a higher "
    "limit (clients.*.limits), or more quota at Azure.",
)
REFUSED = _problem(
    "refused",
    "The request is refused",
    "The gateway or Azure does not take something in the request; the message says what.",
    "If a proxy stands in between, it may have changed the request. Otherwise give whoever runs the gateway the "
    "message and the request id.",
)
NOT_OPENAI = _problem(
    "not-openai",
    "The answer is not in OpenAI's form",
    "What answers is no OpenAI-compatible gateway, or something on the way changed the answer.",
    "Compare the base URL with what whoever runs the gateway says, and try without the proxy.",
)
# github.com/RooCodeInc/Roo-Code/issues/5562: indexing stays at 0 without a word
DIMENSIONS_DIFFER = _problem(
    "dimensions-differ",
    "The vectors have another length than expected",
    "An index is made for one length: the vector database refuses others ('Vector dimension error'), and an index "
    "that was begun with another has to be made anew.",
    "Set the client's model dimension to the length that the gateway gives, clear its index, and start indexing again; "
    "or give the doctor what is meant: --dimensions, --embedding-model.",
)
# github.com/docker/sbx-releases/issues/480: buffered where TLS is intercepted, and not in a tunnel
STREAM_BUFFERED = _problem(
    "stream-buffered",
    "The stream comes all at once",
    "Something in between (proxy, virus scanner, VPN) collects the whole answer before it passes it on: assistants "
    "look dead until the end, and long answers run into time-outs.",
    "Have the gateway's host exempted from inspection and from virus scanning of downloads; at a proxy of your own, "
    "turn buffering off (nginx: proxy_buffering off).",
)
STREAM_GAP = _warning(
    "stream-gap",
    "There was a long silence in the stream",
    "The model thought, Azure was busy, or something in between holds pieces back. Many proxies cut a connection that "
    "is silent for 60 s; Container Apps does at 240 s.",
    "Run the doctor again; if it stays so, compare with another network. In Codex, stream_idle_timeout_ms says how "
    "long it waits.",
)
STREAM_CUT = _problem(
    "stream-cut",
    "The stream ends before the answer does",
    "The last event is missing. Codex says 'stream closed before response.completed' and begins anew; others show half "
    "an answer.",
    "Something on the way cuts the connection: try without VPN or proxy. If it happens everywhere, whoever runs the "
    "gateway sees in the log how the request ended.",
)
STREAM_UNFINISHED = _warning(
    "stream-unfinished",
    "The stream had not ended when the doctor left",
    "The answer is twenty words. The model, Azure or the way is slow.",
    "Run the doctor again; if it stays so, compare with another network, and look at Azure's load.",
)
STREAM_IGNORED = _problem(
    "stream-ignored",
    "A stream was asked for, and none came",
    "The answer is one piece of JSON: something in between changed the request, or what answers cannot stream.",
    "Compare the base URL with what whoever runs the gateway says, and try without the proxy.",
)
MODEL_FAILED = _problem(
    "model-failed",
    "The model's answer ended with an error",
    "The stream began, and then Azure gave up: its rate limit, its content filter, or a fault.",
    "Read the message. With a rate limit, wait and try again; otherwise give whoever runs the gateway the request id.",
)
FIRST_EVENT_SLOW = _warning(
    "first-event-slow",
    "The first event of the stream took long",
    "Qoder gives up after 60 s without a first payload; with a long prompt it takes longer than with the doctor's.",
    "Run the doctor again: after a start from no replica it gets fast. If it stays so, look at Azure's load.",
)

# --- clients' own traps ---

URL_NEEDS_V1 = _warning(
    "url-needs-v1",
    "This client wants /v1 at the end of its base URL",
    "It appends /responses, /chat/completions or /embeddings to what it is given; without /v1 the gateway answers 404.",
    "Enter the base URL with /v1 at its end, as the line says.",
)
# features/clients/roo.feature
URL_WITH_V1 = _warning(
    "url-with-v1",
    "This client wants its base URL without /v1",
    "Roo's provider 'OpenAI' asks at BASE/responses and, after any error, at BASE/v1/responses, whose answer it shows. "
    "The gateway serves /v1/v1/responses for its sake; what stands before the gateway need not.",
    "Enter the base URL without /v1, as the line says.",
)
CODEX_SEES_AZURE = _warning(
    "codex-sees-azure",
    "Codex takes the gateway for Azure's own service",
    "The address is all that it goes by. It then asks the server to shorten long conversations, which no scenario "
    "proves, and there is no setting against it.",
    "Whoever runs the gateway gives it a domain of its own; until then, begin a new conversation before it is full.",
)
ROO_MODEL_UNKNOWN = _problem(
    "roo-model-unknown",
    "Roo does not know the model",
    "For a name that it does not know, Roo's provider 'OpenAI' asks for gpt-5.1-codex-max without a word, which the "
    "gateway refuses unless it serves that.",
    "Use Roo's provider 'OpenAI Compatible'; or whoever runs the gateway gives the model a name that Roo knows "
    "(azure.responses.model).",
)
# github.com/RooCodeInc/Roo-Code, src/services/code-index/service-factory.ts
ROO_DIMENSIONS = _problem(
    "roo-dimensions",
    "Roo makes its index for vectors of another length",
    "For an embedding model that it knows, Roo goes by the model's own dimensions, whatever its settings say; the "
    "vector database refuses the gateway's.",
    "Whoever runs the gateway gives the embedding model a name of its own (azure.embeddings.model) and keeps "
    "base_model; then Roo goes by its settings.",
)
ROO_HIDES_ERRORS = _warning(
    "roo-hides-errors",
    "Roo shows 404 in the place of the real error",
    "After any error, Roo's provider 'OpenAI' asks again at BASE/v1/responses, and shows what it is told there.",
    "In Roo's provider 'OpenAI', enter the base URL without /v1.",
)
WEBSOCKET_ACCEPTED = _problem(
    "websocket-accepted",
    "A WebSocket is accepted",
    "Codex's built-in provider then speaks by WebSocket, which the gateway does not, and loses seconds or fails.",
    "Something before the gateway accepts the upgrade: turn WebSockets off there. Or define a provider of your own in "
    "Codex's config.toml, which does not try one.",
)
# github.com/NVIDIA/NeMo-Relay/pull/994; openai/codex, codex-rs/core/src/client.rs
WEBSOCKET_MISREFUSED = _problem(
    "websocket-misrefused",
    "A WebSocket is refused otherwise than with 426",
    "Only 426 makes Codex's built-in provider fall back to HTTP at once; 400 breaks it, others cost retries.",
    "Have what stands before the gateway pass Upgrade and Connection on. Or define a provider of your own in Codex's "
    "config.toml, which does not try a WebSocket.",
)
TEMPERATURE_REFUSED = _problem(
    "temperature-refused",
    "A temperature is refused",
    "Roo's 'OpenAI Compatible' always sends temperature 0, which Azure does not take for this model; the gateway "
    "leaves it out, so this was not answered by it, or its configuration was changed.",
    "Whoever runs the gateway checks drop_params and additional_drop_params in litellm.yaml (aigateway lint).",
)
BATCH_INCOMPLETE = _problem(
    "batch-incomplete",
    "A batch of 60 does not give 60 vectors in order",
    "Indexing assigns vectors to segments by their place: the index would be wrong, or is given up.",
    "Whoever runs the gateway looks at its embeddings deployment; nothing can be done in the client.",
)
BASE64_IGNORED = _warning(
    "base64-ignored",
    "Vectors come as numbers though base64 was asked for",
    "Answers are four times as large, and clients that decode base64 by themselves fail.",
    "Something changed the request on the way; compare with another network.",
)
USAGE_MISSING = _warning(
    "usage-missing",
    "The stream does not say what it has cost",
    "stream_options.include_usage was asked for; the client's display of tokens and context stays at zero.",
    "Compare with another network; if it stays so, tell whoever runs the gateway.",
)
NOT_STORED = _problem(
    "not-stored",
    "An answer cannot be found again",
    "This client names items of earlier answers by their ids, and Azure must have kept them: its second turn would "
    "fail with 'item not found'.",
    "Let nobody in between add store: false; in Vercel's AI SDK, set store: false together with "
    "include: [reasoning.encrypted_content] to do without.",
)

TROUBLES: tuple[Trouble, ...] = tuple(
    value for value in dict(globals()).values() if isinstance(value, Trouble)
)
