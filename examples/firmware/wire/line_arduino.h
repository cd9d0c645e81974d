/*
 * line_arduino.h -- a wire over an Arduino's Serial
 *
 *     void setup() { Serial.begin(115200); digits_init(&model); digits_wire_open(&wire,
 * &line_arduino, &model); } void loop() { digits_wire_poll(&wire); }
 *
 * A board resets when a computer opens its port: what was learned and not saved is gone then.
 */
#ifndef LINE_ARDUINO_H
#define LINE_ARDUINO_H

#include "tps_line.h"

#include <Arduino.h>

static int line_arduino_get(void *)
{
    return Serial.read();
}

static int line_arduino_put(void *, uint8_t byte)
{
    return Serial.availableForWrite() > 0 && Serial.write(byte) == 1 ? 0 : 1;
}

static const struct tps_line line_arduino = {nullptr, line_arduino_get, line_arduino_put};

#endif
