"""The official OpenAI client through the gateway: what it does where a call is allowed, refused, or not decided.

Nothing is changed for it but the base URL and the API key. Starts a domain of its own from $ELEVEN_BIN (target/debug/eleven
where that is not set), ends it, and closes with "N passed, N failed, N skipped".
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "lib"))

import openai  # noqa: E402
from domain import Domain, run_cases  # noqa: E402
from eleven_verify import Asked, verify  # noqa: E402

MODEL = "demo-summarizer"
TEXT = (
    "The night shift reported that pump four stopped twice. Both times the pressure behind the filter had fallen before "
    "the pump stopped. The coffee machine is out of order again. The shift asks that the filter of pump four be changed."
)
MESSAGES = [{"role": "user", "content": TEXT}]


def proven(domain: Domain, lineage: str, kind: str) -> dict:
    """Verify an operation's proof with the independent verifier, against the pinned root."""
    bundle = domain.bundle(lineage, kind)
    result = verify(bundle, Asked(root=domain.root))
    assert result.verdict == "verified", [check for check in result.checks if check.status == "failed"]
    return bundle


# The cases -------------------------------------------------------------------------


def plain_call(domain: Domain, client: openai.OpenAI):
    before = domain.calls()
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES, temperature=0.2)
    answer = raw.parse()
    assert "pump four" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop" and answer.usage.total_tokens > 0
    assert domain.calls() == before + 1
    assert raw.headers["eleven-decision"] == "allow"
    bundle = proven(domain, raw.headers["eleven-lineage"], "execution")
    assert bundle["artifact"]["sub"] == "svc:demo-app:dev" and len(bundle["events"]) == 7


def streamed(domain: Domain, client: openai.OpenAI):
    plain = client.chat.completions.create(model=MODEL, messages=MESSAGES)
    options = {"include_usage": True}
    stream = client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True, stream_options=options)
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == plain.choices[0].message.content
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage.total_tokens == plain.usage.total_tokens
    proven(domain, stream.response.headers["eleven-lineage"], "execution")


def streamed_as_it_comes(domain: Domain, client: openai.OpenAI):
    domain.publish_streaming()
    streamed(domain, client)


def caller_leaves(domain: Domain, client: openai.OpenAI):
    """A caller who closes the stream after one chunk: the event tells so, with the bytes that were delivered."""
    stream = client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
    lineage = stream.response.headers["eleven-lineage"]
    next(iter(stream))
    stream.close()
    bundle = proven(domain, lineage, "execution")
    ended = bundle["events"][-2]
    assert ended["event"] == "execution.interrupted", ended["event"]
    assert 0 < ended["data"]["result"]["bytes"] < 2000, ended["data"]


def models(domain: Domain, client: openai.OpenAI):
    assert MODEL in [model.id for model in client.models.list()]


def denied(domain: Domain, client: openai.OpenAI):
    """Another model: refused once, not retried, and the message says which rule and what would pass."""
    calls, since = domain.calls(), domain.size()
    patient = client.with_options(max_retries=4)
    try:
        patient.chat.completions.create(model="gpt-oracle", messages=MESSAGES)
        raise AssertionError("it was allowed")
    except openai.PermissionDeniedError as error:
        refusal = error
    assert refusal.status_code == 403 and refusal.code == "policy.denied" and refusal.type == "permission_error"
    message = refusal.message
    assert "demo-app-may-summarize" in message and MODEL in message, message
    assert "lineage://op/" in message, message
    assert len(domain.denials(since, "policy.denied")) == 1, "it was retried"
    assert domain.calls() == calls
    lineage = refusal.response.headers["eleven-lineage"]
    assert lineage in message
    proven(domain, lineage, "denial")


def other_identity(domain: Domain, client: openai.OpenAI):
    """A client whose identity no policy permits anything."""
    other = client.with_options(api_key=domain.secret("other-app", "svc:other-app:dev"))
    calls = domain.calls()
    try:
        other.chat.completions.create(model=MODEL, messages=MESSAGES)
        raise AssertionError("it was allowed")
    except openai.PermissionDeniedError as error:
        assert error.code == "policy.denied", error.code
    assert domain.calls() == calls


def nobody(domain: Domain, client: openai.OpenAI):
    """A key that is nobody's: 401, not retried."""
    calls = domain.calls()
    for key in ("elk_demo-app_wrong", "sk-something-else"):
        try:
            client.with_options(api_key=key).chat.completions.create(model=MODEL, messages=MESSAGES)
            raise AssertionError("it was allowed")
        except openai.AuthenticationError as error:
            assert error.status_code == 401 and error.code == "identity.unauthenticated", error
            assert "what would pass: " in error.message, error.message
    assert domain.calls() == calls


def malformed(domain: Domain, client: openai.OpenAI):
    """A body without a model is no operation: 400, not retried."""
    calls = domain.calls()
    try:
        client.post("/chat/completions", body={"messages": MESSAGES}, cast_to=object)
        raise AssertionError("it was taken")
    except openai.BadRequestError as error:
        assert "model" in error.message, error.message
    assert domain.calls() == calls


def authority_gone(domain: Domain, client: openai.OpenAI):
    """Nothing new is authorized: 503, which the client may try again; when the authority is back, its retry passes."""
    client.chat.completions.create(model=MODEL, messages=MESSAGES)
    calls = domain.calls()
    domain.kill("authority")
    try:
        client.with_options(max_retries=0).chat.completions.create(model=MODEL, messages=MESSAGES)
        raise AssertionError("it was allowed")
    except openai.InternalServerError as error:
        assert error.status_code == 503 and error.code == "issuer.unavailable", error
        assert "what would pass: " in error.message and error.response.headers["eleven-lineage"] in error.message
        assert int(error.response.headers["retry-after"]) >= 1
    assert domain.calls() == calls
    # From this thread: a process started with --parent ends with the thread that started it.
    domain.start("authority")
    answer = client.with_options(max_retries=10).chat.completions.create(model=MODEL, messages=MESSAGES)
    assert answer.choices[0].message.content
    assert domain.calls() == calls + 1


def ledger_gone(domain: Domain, client: openai.OpenAI):
    """Nothing is decided without a record: 503 until the ledger is back."""
    client.chat.completions.create(model=MODEL, messages=MESSAGES)
    calls = domain.calls()
    domain.kill("ledger")
    try:
        client.with_options(max_retries=0).chat.completions.create(model=MODEL, messages=MESSAGES)
        raise AssertionError("it was allowed")
    except openai.InternalServerError as error:
        assert error.status_code == 503 and error.code == "audit.unavailable", error
        lineage = error.response.headers["eleven-lineage"]
    assert domain.calls() == calls
    domain.start("ledger")
    answer = client.with_options(max_retries=10).chat.completions.create(model=MODEL, messages=MESSAGES)
    assert answer.choices[0].message.content
    proven(domain, lineage, "denial")


CASES = [
    plain_call, models, streamed, denied, other_identity, nobody, malformed, streamed_as_it_comes, caller_leaves,
    authority_gone, ledger_gone,
]


def main() -> int:
    begun = time.monotonic()
    domain = Domain()
    try:
        secret = domain.secret("demo-app", "svc:demo-app:dev")
        client = openai.OpenAI(base_url=f"{domain.urls['runtime']}/v1", api_key=secret, timeout=20)
        print(f"openai {openai.__version__}, domain up in {time.monotonic() - begun:.1f} s")
        return run_cases(CASES, domain, client)
    finally:
        domain.end()


if __name__ == "__main__":
    sys.exit(main())
