# An application for scenarios that are played for real: it answers with its name, remembers what it was asked, and misbehaves on demand. Usage: application.py NAME VERSION
import json, os, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = " ".join(sys.argv[1:3])
LOCK = threading.Lock()
SEEN = []
MANNER = {"status": 200, "times": 0, "delay": 0.0, "kind": "answer"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/__seen":
            return self.send(200, json.dumps(SEEN).encode())
        if self.path == "/__manner":
            with LOCK:
                MANNER.update(json.loads(body))
            return self.send(200, b"")
        if self.path == "/__reset":
            with LOCK:
                SEEN.clear()
                MANNER.update(status=200, times=0, delay=0.0, kind="answer")
            return self.send(200, b"")
        with LOCK:
            SEEN.append({"method": self.command, "path": self.path, "host": self.headers.get("host", ""), "headers": {k.lower(): v for k, v in self.headers.items()}})
            special = MANNER["times"] != 0
            if MANNER["times"] > 0:
                MANNER["times"] -= 1
            status, kind, delay = (MANNER["status"] if special else 200), (MANNER["kind"] if special else "answer"), MANNER["delay"]
        time.sleep(delay)
        if kind == "reset":
            self.connection.shutdown(2)
            self.close_connection = True
            return None
        if kind == "silent":
            time.sleep(30)
            self.close_connection = True
            return None
        return self.send(status, (NAME + "\n" + self.command + " " + self.path + "\n").encode())

    do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_HEAD = do_PATCH = answer

    def send(self, status, body):
        self.send_response(status)
        self.send_header("x-app", NAME)
        self.send_header("x-pod", NAME)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer((os.environ.get("HOST", "0.0.0.0"), int(os.environ.get("PORT", "9080"))), Handler).serve_forever()
