// gRPC's own xDS client for Node.js, and servers for it to call: no generated code, requests and answers are bare bytes.
//
//   echo.js serve NAME [NAME...]   one server for each name on a free port; prints "NAME PORT" lines, then serves until its input ends
//   echo.js call TARGET            reads a command a line, prints a line of JSON:
//                                    {"method": "Say", "times": 50, "wait": true}
'use strict';
const readline = require('node:readline');
const grpc = require('@grpc/grpc-js');

const SERVICE = 'demo.Echo';
const bytes = (value) => Buffer.from(value);
const method = (name) => ({ path: `/${SERVICE}/${name}`, requestStream: false, responseStream: false, requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes });

function handlers(name) {
  const attempts = new Map();
  const say = (call, done) => done(null, bytes(name));
  // Fails twice for each request, then answers: whoever retries gets an answer.
  const flaky = (call, done) => {
    const number = (attempts.get(call.request.toString()) ?? 0) + 1;
    attempts.set(call.request.toString(), number);
    if (number <= 2) done({ code: grpc.status.UNAVAILABLE, details: 'not yet' });
    else done(null, bytes(String(number)));
  };
  return { Say: say, Slow: say, Refused: say, Flaky: flaky, Stubborn: flaky };
}

async function serve(names) {
  for (const name of names) {
    const server = new grpc.Server();
    const implementation = handlers(name);
    server.addService(Object.fromEntries(Object.keys(implementation).map((known) => [known, method(known)])), implementation);
    const port = await new Promise((taken, refused) => server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (failure, at) => (failure ? refused(failure) : taken(at))));
    console.log(name, port);
  }
  for await (const _ of process.stdin);
  process.exit(0);
}

async function call(target) {
  require('@grpc/grpc-js-xds').register();
  const client = new grpc.Client(target, grpc.credentials.createInsecure());
  let number = 0;
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line);
    const told = {}, started = process.hrtime.bigint();
    for (let i = 0; i < (asked.times ?? 1); i++) {
      const answer = await one(client, asked, bytes(String(++number)));
      told[answer] = (told[answer] ?? 0) + 1;
    }
    console.log(JSON.stringify({ told, seconds: Number(process.hrtime.bigint() - started) / 1e9 }));
  }
  process.exit(0);
}

function one(client, asked, request) {
  const metadata = new grpc.Metadata({ waitForReady: asked.wait ?? false });
  return new Promise((taken) => client.makeUnaryRequest(method(asked.method).path, bytes, bytes, request, metadata, { deadline: Date.now() + 15000 },
    (failure, answer) => taken(failure ? `${grpc.status[failure.code]}: ${failure.details}` : answer.toString())));
}

if (process.argv[2] === 'serve') serve(process.argv.slice(3));
else call(process.argv[3]);
