"""A stand-in for LiteLLM that answers at once: so all of a run is real but what is measured."""

from __future__ import annotations

from conftest import ALL_MODELS

#: `FAILS` names a path whose requests are refused.
ANSWERING = (
    ALL_MODELS
    + """
import http.server, json, sys

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, json.dumps({"data": [{"id": name} for name in MODELS]}))

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if FAILS and FAILS in self.path:
            self.answer(400, json.dumps({"error": {"message": "no such thing", "type": "x"}}))
        elif asked.get("stream"):
            done = json.dumps({"type": "response.completed", "response": {"usage": {"total_tokens": 7}}})
            self.answer(200, 'data: {"type": "response.created"}\\n\\ndata: ' + done + "\\n\\n", "text/event-stream")
        else:
            self.answer(200, json.dumps({"output": [], "data": [{"embedding": ""}], "usage": {"total_tokens": 7}}))

    def answer(self, status, text, kind="application/json"):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
)
