/*
 * serve.mjs -- a WebAssembly module of the harness as a program of the host, run by node
 *
 * On stdin: length of the commands and of their replies, u32 each, then the commands. On stdout: the
 * replies. The twin is toolchain/node_link.py.
 */
import { readFileSync, readSync, writeSync } from "node:fs";

const PAGE = 65536;
const file = readFileSync(process.argv[2]);
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(file), {});
const memory = exports.memory;
/* Behind everything that the module has. */
const base = memory.buffer.byteLength;

function read(bytes) {
  for (let got = 0; got < bytes.length; ) {
    const count = readSync(0, bytes, got, bytes.length - got, null);
    if (count === 0) {
      return got;
    }
    got += count;
  }
  return bytes.length;
}

function makeRoom(count) {
  const missing = base + count - memory.buffer.byteLength;
  if (missing > 0) {
    memory.grow(Math.ceil(missing / PAGE));
  }
}

function write(bytes) {
  for (let sent = 0; sent < bytes.length; ) {
    sent += writeSync(1, bytes, sent);
  }
}

const head = new Uint32Array(2);
while (read(new Uint8Array(head.buffer)) === 8) {
  const [count, room] = head;
  makeRoom(count + room);
  read(new Uint8Array(memory.buffer, base, count));
  const length = exports.serve(base, count, base + count, room);
  write(new Uint8Array(memory.buffer, base + count, length));
}
