"""What an OpenAI API takes and answers, through the gateway: the same bytes as straight from the model, whole and streamed.

The model here answers as that API does: several choices, tool calls, structured outputs, errors with their bodies and
headers. Raw calls and the official client are held against it, straight and through a gateway before it. Starts a domain of its
own from $ELEVEN_BIN, ends it, and closes with "N passed, N failed, N skipped".
"""

import asyncio
import hashlib
import http.client
import http.server
import json
import sys
import threading
import urllib.parse

import openai
import pydantic
from openai_client import MODEL, Domain, proven, run_cases  # it finds the library that follows

from domain import PATIENCE  # noqa: I001

# What belongs to a connection, to the gateway, or to the moment.
OWN = {"date", "cache-control", "content-length", "transfer-encoding", "connection", "keep-alive"}
HEADERS = [("x-request-id", "req_1"), ("openai-processing-ms", "12"), ("x-ratelimit-remaining-requests", "59")]
ERRORS = {
    400: {"message": "Invalid value for 'temperature'", "type": "invalid_request_error", "param": "temperature", "code": None},
    401: {"message": "Incorrect API key provided", "type": "invalid_request_error", "param": None, "code": "invalid_api_key"},
    404: {"message": "There is no such model", "type": "invalid_request_error", "param": None, "code": "model_not_found"},
    429: {"message": "Rate limit reached", "type": "requests", "param": None, "code": "rate_limit_exceeded"},
    500: {"message": "The server had an error", "type": "server_error", "param": None, "code": None},
    503: {"message": "overloaded", "type": "server_error", "param": None, "code": None},
}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
HEAD = {"id": "chatcmpl-1", "created": 1, "model": MODEL, "system_fingerprint": "fp_1"}
TEXTS = {"text": ["one ", "zwei ü ", "three \U0001f600"], "person": ['{"name":', '"Ada",', '"age":36}']}


class Model(http.server.BaseHTTPRequestHandler):
    """Answers what the last message asks for: a kind of text, or an error's status."""

    protocol_version = "HTTP/1.1"
    bodies: list[str] = []
    lineages: list[str] = []
    waiting, go_on = threading.Event(), threading.Event()

    def do_POST(self):  # noqa: N802: its name in the standard library
        body = self.rfile.read(int(self.headers["content-length"]))
        Model.bodies.append(hashlib.sha256(body).hexdigest())
        Model.lineages.append(self.headers.get("eleven-lineage"))
        asked = json.loads(body)
        last = asked["messages"][-1] if asked["messages"] else {}
        what = last["content"] if last.get("role") == "user" and isinstance(last.get("content"), str) else "text"
        if what.isdigit():
            return self.answer(int(what), {"error": ERRORS[int(what)]}, [("retry-after-ms", "1")])
        if what == "wait":
            Model.waiting.set()
            Model.go_on.wait(PATIENCE)
        texts = TEXTS.get(what, TEXTS["text"])
        choices = range(asked.get("n") or 1)
        calls = "tools" in asked and last["role"] != "tool"
        if asked.get("stream"):
            return self.stream(asked, choices, texts, calls)
        message = {"role": "assistant", "content": "".join(texts), "refusal": None}
        if calls:
            call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
            message = {"role": "assistant", "content": None, "tool_calls": [call]}
        finish = "tool_calls" if calls else "stop"
        made = [{"index": index, "message": message, "logprobs": None, "finish_reason": finish} for index in choices]
        return self.answer(200, {**HEAD, "object": "chat.completion", "choices": made, "usage": USAGE}, [])

    def answer(self, status: int, body: dict, headers: list[tuple[str, str]]):
        text = json.dumps(body, indent=2).encode()
        self.send_response(status)
        for name, value in [*HEADERS, *headers, ("content-type", "application/json"), ("content-length", str(len(text)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def stream(self, asked: dict, choices: range, texts: list[str], calls: bool):
        self.send_response(200)
        for name, value in [*HEADERS, ("content-type", "text/event-stream; charset=utf-8"), ("transfer-encoding", "chunked")]:
            self.send_header(name, value)
        self.end_headers()

        def event(data: str):
            text = f"data: {data}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))

        def delta(index: int, delta: dict, finish: str | None = None):
            choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
            event(json.dumps({**HEAD, "object": "chat.completion.chunk", "choices": [choice]}))

        for index in choices:
            delta(index, {"role": "assistant", "content": ""})
        if calls:
            function = {"name": "weather", "arguments": ""}
            delta(0, {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]})
            for part in ('{"ci', 'ty": "Par', 'is"}'):
                delta(0, {"tool_calls": [{"index": 0, "function": {"arguments": part}}]})
        else:
            for text in texts:
                for index in choices:
                    delta(index, {"content": text})
        for index in choices:
            delta(index, {}, "tool_calls" if calls else "stop")
        if (asked.get("stream_options") or {}).get("include_usage"):
            event(json.dumps({**HEAD, "object": "chat.completion.chunk", "choices": [], "usage": USAGE}))
        event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *args):
        """Says nothing."""


class Server(http.server.ThreadingHTTPServer):
    """That a caller leaves is what one of the cases is about."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        """Says nothing."""


def said(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


def raw(base: str, key: str, body: bytes) -> tuple[int, dict, bytes]:
    """One call without a client: status, headers that are the model's, body."""
    address = urllib.parse.urlsplit(base)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=PATIENCE)
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    connection.request("POST", "/v1/chat/completions", body, headers)
    answer = connection.getresponse()
    kept = {name.lower(): value for name, value in answer.getheaders()}
    kept = {name: value for name, value in kept.items() if name not in OWN and not name.startswith("eleven-")}
    got = answer.status, kept, answer.read()
    connection.close()
    return got


# The cases -------------------------------------------------------------------------


def same_bytes(domain: Domain, client: openai.OpenAI):
    for more in (
        {}, {"n": 3}, {"tools": [WEATHER]}, {"stream": True}, {"stream": True, "n": 3}, {"stream": True, "tools": [WEATHER]},
        {"stream": True, "stream_options": {"include_usage": True}}, *({"messages": said(str(status))} for status in ERRORS),
        {"stream": True, "messages": said("429")},
    ):
        body = json.dumps({"model": MODEL, "messages": said("text"), **more}).encode()
        straight, governed = (raw(base, client.api_key, body) for base in (domain.upstream, domain.urls["runtime"]))
        assert governed == straight, (more, governed, straight)


def odd_requests(domain: Domain, client: openai.OpenAI):
    """What is legal JSON reaches the model byte by byte, whatever it looks like."""
    head = f'{{"model":"{MODEL}","messages":[{{"role":"user","content":'
    for body in (
        head + '"日本語 \U0001f600 \u2028"}]}',
        head + r'"\u65e5 \ud83d\ude00 \ud800 \u0000 \" \\ \/"}]}',
        head + '[{"type":"image_url","image_url":{"url":"data:image/png;base64,' + "A" * 1_000_000 + '"}}]}]}',
        head + '"a","content":"b"}]}',
        head + '"' + "x" * 10_000_000 + '"}]}',
        head + '""}],"seed":123456789012345678901234567890,"temperature":1e400,"top_p":-0.0,"stop":null}',
        head + '""}],"metadata":' + "[" * 200 + "]" * 200 + "}",
        f'\n {{ "messages" : [ ] , "model" : "{MODEL}" }} \n',
    ):
        sent = body.encode()
        status, _, _ = raw(domain.urls["runtime"], client.api_key, sent)
        assert status == 200 and Model.bodies[-1] == hashlib.sha256(sent).hexdigest(), (status, body[:200])


def tools(domain: Domain, client: openai.OpenAI):
    asked = said("How is the weather in Paris?")
    answer = client.chat.completions.create(model=MODEL, messages=asked, tools=[WEATHER])
    [call] = answer.choices[0].message.tool_calls
    assert answer.choices[0].finish_reason == "tool_calls" and json.loads(call.function.arguments) == {"city": "Paris"}
    turn = [*asked, answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "sun"}]
    answer = client.chat.completions.create(model=MODEL, messages=turn, tools=[WEATHER])
    assert answer.choices[0].message.content == "".join(TEXTS["text"])
    with client.chat.completions.stream(model=MODEL, messages=asked, tools=[WEATHER]) as stream:
        [call] = stream.get_final_completion().choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Paris"}


class Person(pydantic.BaseModel):
    name: str
    age: int


def structured(domain: Domain, client: openai.OpenAI):
    asked = {"model": MODEL, "messages": said("person"), "response_format": Person}
    answer = client.chat.completions.parse(**asked)
    assert answer.choices[0].message.parsed == Person(name="Ada", age=36)
    with client.chat.completions.stream(**asked) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == Person(name="Ada", age=36)


def errors(domain: Domain, client: openai.OpenAI):
    """The model's own refusals are the client's usual exceptions; each of a client's attempts is an operation of its own."""
    for status, kind, attempts in (
        (400, openai.BadRequestError, 1), (401, openai.AuthenticationError, 1), (404, openai.NotFoundError, 1),
        (429, openai.RateLimitError, 3), (500, openai.InternalServerError, 3), (503, openai.InternalServerError, 3),
    ):
        before = len(Model.lineages)
        try:
            client.with_options(max_retries=2).chat.completions.create(model=MODEL, messages=said(str(status)))
            raise AssertionError("it was answered")
        except kind as error:
            assert error.status_code == status and error.body == ERRORS[status], error.body
        lineages = Model.lineages[before:]
        assert len(lineages) == len(set(lineages)) == attempts, lineages
        ended = proven(domain, lineages[-1], "execution")["events"][-2]
        assert ended["event"] == ("execution.failed" if status >= 500 else "execution.completed"), ended
        assert ended["data"]["result"]["status"] == status, ended


def other_paths(domain: Domain, client: openai.OpenAI):
    """What is not governed is no path here, is not tried again, and says what to ask for."""
    before = len(Model.lineages)
    governed = "governed here are POST /v1/chat/completions and GET /v1/models"
    for call, told in (
        (lambda: client.responses.create(model=MODEL, input="x"), f"{governed}: have the client ask for chat completions"),
        (lambda: client.embeddings.create(model=MODEL, input="x"), governed),
        (lambda: client.models.retrieve(MODEL), governed),
    ):
        try:
            call()
            raise AssertionError("it was answered")
        except openai.NotFoundError as error:
            assert error.body["message"].endswith(told), error.body
    assert len(Model.lineages) == before


def cancelled(domain: Domain, client: openai.OpenAI):
    """A call that is cancelled while the model thinks: nothing was sent to its caller, and the event says so."""
    async def leave():
        impatient = openai.AsyncOpenAI(base_url=client.base_url, api_key=client.api_key, max_retries=0, timeout=PATIENCE)
        call = asyncio.create_task(impatient.chat.completions.create(model=MODEL, messages=said("wait")))
        assert await asyncio.to_thread(Model.waiting.wait, PATIENCE)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await impatient.close()

    asyncio.run(leave())
    try:
        ended = proven(domain, Model.lineages[-1], "execution")["events"][-2]
    finally:
        Model.go_on.set()
    assert ended["event"] == "execution.interrupted" and ended["data"]["cause"] == "caller.left", ended
    assert ended["data"]["result"]["bytes"] == 0, ended


def as_they_come(domain: Domain, client: openai.OpenAI):
    """The same under `release: stream`."""
    domain.publish_streaming()
    for case in (same_bytes, tools, structured, errors):
        case(domain, client)


CASES = [same_bytes, odd_requests, tools, structured, errors, other_paths, cancelled, as_they_come]


def main() -> int:
    server = Server(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    domain = Domain(upstream=f"http://127.0.0.1:{server.server_address[1]}")
    try:
        secret = domain.secret("demo-app", "svc:demo-app:dev")
        client = openai.OpenAI(base_url=f"{domain.urls['runtime']}/v1", api_key=secret, timeout=PATIENCE)
        print(f"openai {openai.__version__}")
        return run_cases(CASES, domain, client)
    finally:
        domain.end()


if __name__ == "__main__":
    sys.exit(main())
