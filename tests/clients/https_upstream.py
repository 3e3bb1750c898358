"""TLS with what others wrote: an upstream on Python's own server, and a client before the gateway, both on OpenSSL.

The gateway reaches the upstream where an authority that it trusts vouches for it, and nowhere else; and it serves TLS itself.
The certificate is made for this run. Starts domains of its own from $ELEVEN_BIN, ends them, and closes with
"N passed, N failed, N skipped".
"""

import datetime
import http.server
import ipaddress
import json
import os
import ssl
import sys
import tempfile
import threading
from pathlib import Path

import openai
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from openai_client import MESSAGES, MODEL, Domain, proven, run_cases


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a model behind TLS")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files[1].write_bytes(encoded)
    return files


class Model(http.server.BaseHTTPRequestHandler):
    """Answers every completion alike, and counts them."""

    protocol_version = "HTTP/1.1"
    calls = 0

    def do_POST(self):  # noqa: N802: its name in the standard library
        Model.calls += 1
        self.rfile.read(int(self.headers["content-length"]))
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "by TLS"}}
        body = {"id": "1", "object": "chat.completion", "created": 1, "model": MODEL, "choices": [choice]}
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        """Says nothing."""


class Server(http.server.ThreadingHTTPServer):
    """A handshake that fails is what one of the cases is about."""

    def handle_error(self, request, client_address):
        """Says nothing."""


def serve(files: tuple[Path, Path]) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    server = Server(("127.0.0.1", 0), Model)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"https://127.0.0.1:{server.server_port}"


# The cases -------------------------------------------------------------------------


def not_where_nobody_vouches_for_it(domain: Domain, client: openai.OpenAI, _trusted: Path):
    try:
        client.with_options(max_retries=0).chat.completions.create(model=MODEL, messages=MESSAGES)
        raise AssertionError("it answered")
    except openai.InternalServerError as error:
        assert error.status_code == 502, error
        lineage = error.response.headers["eleven-lineage"]
    bundle = proven(domain, lineage, "execution")
    ended = bundle["events"][-2]
    assert ended["event"] == "execution.failed" and ended["data"]["cause"] == "upstream.failed", ended
    assert Model.calls == 0, "its request was sent to whoever answered"


def where_an_authority_vouches_for_it(domain: Domain, client: openai.OpenAI, trusted: Path):
    domain.kill("runtime")
    domain.start("runtime", SSL_CERT_FILE=str(trusted))
    domain.wait("runtime")
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES)
    assert raw.parse().choices[0].message.content == "by TLS"
    assert Model.calls == 1, Model.calls
    proven(domain, raw.headers["eleven-lineage"], "execution")


def callers_reach_the_gateway_by_tls(domain: Domain, client: openai.OpenAI, trusted: Path):
    os.environ["SSL_CERT_FILE"] = str(trusted)
    key = trusted.with_name("key.pem")
    other = Domain(domain.upstream, (f"runtime.tls_certificate={trusted}", f"runtime.tls_key={key}"))
    try:
        url = other.urls["runtime"]
        assert url.startswith("https://"), url
        secret = other.secret("demo-app", "svc:demo-app:dev")
        by_tls = openai.DefaultHttpxClient(verify=ssl.create_default_context(cafile=str(trusted)))
        caller = openai.OpenAI(base_url=f"{url}/v1", api_key=secret, timeout=20, http_client=by_tls)
        calls = Model.calls
        raw = caller.chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES)
        assert raw.parse().choices[0].message.content == "by TLS" and Model.calls == calls + 1
        proven(other, raw.headers["eleven-lineage"], "execution")
    finally:
        other.end()
        del os.environ["SSL_CERT_FILE"]


CASES = [not_where_nobody_vouches_for_it, where_an_authority_vouches_for_it, callers_reach_the_gateway_by_tls]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="eleven-https-") as folder:
        files = certificate(Path(folder))
        domain = Domain(serve(files))
        try:
            secret = domain.secret("demo-app", "svc:demo-app:dev")
            client = openai.OpenAI(base_url=f"{domain.urls['runtime']}/v1", api_key=secret, timeout=20)
            return run_cases(CASES, domain, client, files[0])
        finally:
            domain.end()


if __name__ == "__main__":
    sys.exit(main())
