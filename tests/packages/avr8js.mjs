/*
 * avr8js.mjs -- an Arduino Uno by avr8js (npm): what the program of an ELF sends, until its digest
 *
 *     node avr8js.mjs ELF MILLISECONDS      at most so many of the board's time
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

/* Of the folder that one is in, or of NODE_PATH. */
const avr = createRequire(join(process.cwd(), "x"))("avr8js");
const CLOCK = 16e6;
const FLASH = 32768;
const RAM = 2048;
/* Where ELF files of AVR put data memory, which is not flash. */
const DATA = 0x800000;

function flashed(file) {
  const flash = new Uint8Array(FLASH).fill(0xff);
  for (let i = 0, at = file.readUInt32LE(28); i < file.readUInt16LE(44); i++, at += 32) {
    const [kind, from, , to, size] = [0, 4, 8, 12, 16].map((field) => file.readUInt32LE(at + field));
    if (kind === 1 && to < DATA) {
      flash.set(file.subarray(from, from + size), to);
    }
  }
  return new Uint16Array(flash.buffer);
}

const cpu = new avr.CPU(flashed(readFileSync(process.argv[2])), RAM);
const uart = new avr.AVRUSART(cpu, avr.usart0Config, CLOCK);
/* What micros() and delay() go by. */
new avr.AVRTimer(cpu, avr.timer0Config);
new avr.AVREEPROM(cpu, new avr.EEPROMMemoryBackend(1024));
let done = false;
uart.onLineTransmit = (line) => {
  console.log(line.trimEnd());
  done = line.startsWith("digest ");
};
while (!done && cpu.cycles < (Number(process.argv[3]) * CLOCK) / 1000) {
  avr.avrInstruction(cpu);
  cpu.tick();
}
