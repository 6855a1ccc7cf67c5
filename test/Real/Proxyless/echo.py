"""gRPC's own xDS client, and servers for it to call: no generated code, requests and answers are bare bytes.

  echo.py serve NAME [NAME...]   one server for each name on a free port; prints "NAME PORT" lines, then serves until its input ends
  echo.py call TARGET            reads a command a line, prints a line of JSON:
                                   {"method": "Say", "times": 50, "wait": true}
"""
import concurrent.futures
import json
import sys
import time

import grpc

SERVICE = "demo.Echo"
attempts = {}


def handlers(name):
    def say(request, context):
        return name.encode()

    # Fails twice for each request, then answers: whoever retries gets an answer.
    def flaky(request, context):
        attempts[request] = attempts.get(request, 0) + 1
        if attempts[request] <= 2:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        return str(attempts[request]).encode()

    methods = {"Say": say, "Slow": say, "Refused": say, "Flaky": flaky, "Stubborn": flaky}
    return grpc.method_handlers_generic_handler(SERVICE, {m: grpc.unary_unary_rpc_method_handler(f) for m, f in methods.items()})


def serve(names):
    servers = []
    for name in names:
        server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=8))
        server.add_generic_rpc_handlers((handlers(name),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        print(name, port, flush=True)
    sys.stdin.read()
    for server in servers:
        server.stop(0)


def call(target):
    channel = grpc.insecure_channel(target)
    number = 0
    for line in sys.stdin:
        asked = json.loads(line)
        method = channel.unary_unary(f"/{SERVICE}/{asked['method']}")
        told, started = {}, time.monotonic()
        for _ in range(asked.get("times", 1)):
            number += 1
            try:
                answer = method(str(number).encode(), timeout=15, wait_for_ready=asked.get("wait", False)).decode()
            except grpc.RpcError as failure:
                answer = f"{failure.code().name}: {failure.details()}"
            told[answer] = told.get(answer, 0) + 1
        print(json.dumps({"told": told, "seconds": time.monotonic() - started}), flush=True)
    channel.close()


if __name__ == "__main__":
    serve(sys.argv[2:]) if sys.argv[1] == "serve" else call(sys.argv[2])
