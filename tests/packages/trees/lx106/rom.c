/*
 * rom.c -- what the compiler's library leaves to the ROM of an ESP8266: products of 64 bits and
 * divisions of 32, bit by bit
 */
#include <stdint.h>

uint64_t __muldi3(uint64_t a, uint64_t b);
uint32_t __udivsi3(uint32_t a, uint32_t b);

uint64_t __muldi3(uint64_t a, uint64_t b)
{
    uint64_t product = 0;

    for (; b != 0; b >>= 1, a <<= 1) {
        product += (b & 1) != 0 ? a : 0;
    }
    return product;
}

uint32_t __udivsi3(uint32_t a, uint32_t b)
{
    uint32_t quotient = 0;

    for (int bit = 31; bit >= 0; bit--) {
        if (a >> bit >= b) {
            a -= b << bit;
            quotient |= UINT32_C(1) << bit;
        }
    }
    return quotient;
}
