// Asks a real YAML language server what an editor would show. Usage:
//   node language_server.mjs <server.js> <cases.json>
// A case is {name, text}: `text` with one `‸` where the cursor stands. Prints {name: {diagnostics, completion, hover}}.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

const [server, file] = process.argv.slice(2);
const cases = JSON.parse(readFileSync(file, "utf8"));
const child = spawn(process.execPath, [server, "--stdio"], { stdio: ["pipe", "pipe", "inherit"] });
const waiting = new Map(); // request id to its resolver
const published = new Map(); // document to the resolver of its diagnostics
let next = 0;
let buffer = Buffer.alloc(0);

function send(message) {
  const body = JSON.stringify({ jsonrpc: "2.0", ...message });
  child.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

function ask(method, params) {
  const id = ++next;
  send({ id, method, params });
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

const settings = {
  yaml: { completion: true, hover: true, validate: true, schemaStore: { enable: false } },
  http: { proxy: "" }, "[yaml]": {}, editor: {}, files: {},
};

function receive(message) {
  if (message.method === undefined) {
    const { resolve, reject } = waiting.get(message.id);
    if (message.error) reject(new Error(message.error.message));
    else resolve(message.result);
  } else if (message.method === "textDocument/publishDiagnostics") {
    published.get(message.params.uri)?.(message.params.diagnostics);
  } else if (message.method === "workspace/configuration") {
    send({ id: message.id, result: message.params.items.map((item) => settings[item.section] ?? null) });
  } else if (message.id !== undefined) {
    send({ id: message.id, result: null });
  }
}

child.stdout.on("data", (chunk) => {
  buffer = Buffer.concat([buffer, chunk]);
  for (;;) {
    const end = buffer.indexOf("\r\n\r\n");
    if (end < 0) return;
    const length = Number(/Content-Length: (\d+)/i.exec(buffer.subarray(0, end).toString())[1]);
    if (buffer.length < end + 4 + length) return;
    const body = buffer.subarray(end + 4, end + 4 + length).toString();
    buffer = buffer.subarray(end + 4 + length);
    receive(JSON.parse(body));
  }
});

// A server that does not answer must not hang whoever asked.
setTimeout(() => {
  child.kill();
  console.error("the language server did not answer within a minute");
  process.exit(1);
}, 60_000).unref();

async function look({ name, text }) {
  const at = text.indexOf("‸");
  const before = text.slice(0, at).split("\n");
  const position = { line: before.length - 1, character: before.at(-1).length };
  const uri = `file:///assay-case/${encodeURIComponent(name)}.yaml`;
  const diagnostics = new Promise((resolve) => published.set(uri, resolve));
  const whole = text.replace("‸", "");
  send({
    method: "textDocument/didOpen",
    params: { textDocument: { uri, languageId: "yaml", version: 1, text: whole } },
  });
  const params = { textDocument: { uri }, position };
  const completion = await ask("textDocument/completion", params);
  const hover = await ask("textDocument/hover", params);
  const items = completion?.items ?? completion ?? [];
  return {
    diagnostics: (await diagnostics).map(({ message, range }) => ({ message, line: range.start.line + 1 })),
    completion: items.map(({ label, documentation }) => ({
      label, documentation: documentation?.value ?? documentation ?? "",
    })),
    hover: hover?.contents?.value ?? "",
  };
}

try {
  const capabilities = {
    workspace: { configuration: true },
    textDocument: {
      completion: { completionItem: { snippetSupport: true, documentationFormat: ["markdown"] } },
      hover: { contentFormat: ["markdown"] },
    },
  };
  await ask("initialize", { processId: process.pid, rootUri: null, capabilities });
  send({ method: "initialized", params: {} });
  send({ method: "workspace/didChangeConfiguration", params: { settings } });
  const answers = {};
  for (const one of cases) answers[one.name] = await look(one);
  console.log(JSON.stringify(answers));
  await ask("shutdown", null);
  send({ method: "exit" });
} finally {
  child.kill();
}
