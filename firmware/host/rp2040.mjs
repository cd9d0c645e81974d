/*
 * rp2040.mjs -- an RP2040 with a program in its flash, by rp2040js (npm install rp2040js)
 *
 *     node rp2040.mjs PROGRAM [PORT | SOCKET] [--cycles ADDRESS]
 *
 * PROGRAM is an ELF or a UF2 file. Its UART0 is at a port of TCP of this computer, where one program
 * at a time may come and go, or at a socket that waits, or else at stdin and stdout. With --cycles
 * each call of the function at this address says on stderr how many cycles it took: those of
 * instructions, as rp2040js counts them, and none of the flash and its cache.
 *
 * rp2040js has no boot ROM. What that does with flash is done here: 256 bytes with a right CRC are
 * copied into RAM and called (RP2040 datasheet, section 2.8.1).
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { parseArgs } from "node:util";

const FLASH = 0x10000000;
const BOOT2 = 256;
const BOOT2_RAM = 0x20041f00;
/* Instructions between looks at what came in. */
const TURN = 20000;

function fail(message) {
  console.error(`rp2040.mjs: ${message}`);
  process.exit(1);
}

/* Where each byte of a program goes, [address, bytes]. */
function segments(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const word = (at) => view.getUint32(at, true);
  const found = [];
  if (word(0) === 0x464c457f) {
    for (let i = 0, at = word(28); i < view.getUint16(44, true); i++, at += 32) {
      if (word(at) === 1 && word(at + 16) > 0) {
        const from = word(at + 4);
        found.push([word(at + 12), file.subarray(from, from + word(at + 16))]);
      }
    }
  } else if (word(0) === 0x0a324655) {
    for (let at = 0; at < file.length; at += 512) {
      found.push([word(at + 12), file.subarray(at + 32, at + 32 + word(at + 16))]);
    }
  } else {
    fail("the program is neither ELF nor UF2");
  }
  return found;
}

/* Polynomial 0x04C11DB7, from all ones, nothing reversed or inverted. */
function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc << 1) ^ (crc < 0 ? 0x04c11db7 : 0);
    }
  }
  return crc >>> 0;
}

function boot(chip, program) {
  for (const [address, bytes] of segments(program)) {
    if (address < FLASH || address - FLASH + bytes.length > chip.flash.length) {
      fail(`bytes at 0x${address.toString(16)}, outside of flash`);
    }
    chip.flash.set(bytes, address - FLASH);
  }
  const first = chip.flash.subarray(0, BOOT2);
  if (crc32(first.subarray(0, BOOT2 - 4)) !== chip.readUint32(FLASH + BOOT2 - 4)) {
    fail("the CRC of the first 256 bytes is wrong: a boot ROM would not start them");
  }
  chip.sram.set(first, BOOT2_RAM - 0x20000000);
  chip.core.LR = 0;
  chip.core.PC = BOOT2_RAM;
}

/* Run, with bytes in and out, until this program ends. */
function run(chip, send, watched) {
  const { core } = chip;
  const uart = chip.uart[0];
  const waiting = [];
  const sent = [];
  let scheduled = false;
  let entered = null;

  const note = () => {
    if (core.PC === watched && entered === null) {
      entered = { cycles: core.cycles, back: core.LR & ~1, stack: core.SP };
    } else if (entered !== null && core.PC === entered.back && core.SP === entered.stack) {
      console.error(`cycles ${core.cycles - entered.cycles}`);
      entered = null;
    }
  };
  const turn = () => {
    scheduled = false;
    for (let i = 0; i < TURN; i++) {
      if (waiting.length > 0 && !uart.rxFIFO.full) {
        uart.feedByte(waiting.shift());
      }
      if (core.waiting && waiting.length === 0) {
        break;
      }
      core.executeInstruction();
      if (watched !== null) {
        note();
      }
    }
    if (sent.length > 0) {
      send(Buffer.from(sent.splice(0)));
    }
    /* Asleep until a byte comes, or awake. */
    if (!core.waiting || waiting.length > 0) {
      schedule();
    }
  };
  const schedule = () => {
    if (!scheduled) {
      scheduled = true;
      setImmediate(turn);
    }
  };
  uart.onByte = (byte) => sent.push(byte);
  schedule();
  return (bytes) => {
    waiting.push(...bytes);
    schedule();
  };
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { cycles: { type: "string" } },
});
const [path, line] = positionals;
if (path === undefined) {
  fail("which program? node rp2040.mjs PROGRAM [PORT | SOCKET] [--cycles ADDRESS]");
}
let emulator;
try {
  /* Of the folder that one is in, or of NODE_PATH. */
  emulator = createRequire(join(process.cwd(), "x"))("rp2040js");
} catch {
  fail("the package rp2040js is not installed: npm install rp2040js");
}
const chip = new emulator.RP2040();
chip.logger = new emulator.ConsoleLogger(emulator.LogLevel.Error, false);
boot(chip, readFileSync(path));
const watched = values.cycles === undefined ? null : Number(values.cycles) & ~1;
let peer = null;
const receive = run(
  chip,
  (bytes) => (line === undefined ? process.stdout : peer)?.write(bytes),
  watched,
);
const serve = (socket) => {
  peer = socket;
  socket.setNoDelay?.(true);
  socket.on("data", receive);
  socket.on("error", () => {});
  socket.on("close", () => {
    peer = peer === socket ? null : peer;
  });
};
if (line === undefined) {
  process.stdin.on("data", receive);
} else if (/^\d+$/.test(line)) {
  createServer(serve).listen(Number(line), "127.0.0.1");
} else {
  /* Whoever started this ends it by ending the line. */
  serve(connect(line).on("close", () => process.exit(0)));
}
