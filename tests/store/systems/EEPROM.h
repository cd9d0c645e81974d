/* EEPROM.h -- what of Arduino's EEPROM store_arduino_eeprom.h calls, on avr-libc */
#ifndef EEPROM_H
#define EEPROM_H

#include <avr/eeprom.h>
#include <stdint.h>

struct EEPROMClass {
    uint8_t read(int at)
    {
        return eeprom_read_byte(reinterpret_cast<const uint8_t *>(at));
    }
    void write(int at, uint8_t value)
    {
        eeprom_write_byte(reinterpret_cast<uint8_t *>(at), value);
    }
};

static EEPROMClass EEPROM;

#endif
