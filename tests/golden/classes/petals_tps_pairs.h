/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/*
 * tps_pairs.h -- pairs of 16-bit numbers in one word
 *
 * The DSP extension of Cortex-M4, M7 and M33 works on both at once. Each function is one of its
 * instructions, or the same in plain C: with TPS_PAIRS_IN_C the kernels run on any computer.
 */
#ifndef PETALS_TPS_PAIRS_H
#define PETALS_TPS_PAIRS_H

#include <stdint.h>

/* Helium: vectors of 16 bytes; loops end within one, by a mask over the lanes. */
#if defined(__ARM_FEATURE_MVE)
#define TPS_MVE
#include <arm_mve.h>
#endif

/*
 * The instructions are written as Thumb-2 has them, and load words from any address. Cores in Arm
 * state, and compilers that are told -mno-unaligned-access, take the plain kernels.
 */
#if defined(__ARM_FEATURE_SIMD32) && defined(__thumb2__) && defined(__ARM_FEATURE_UNALIGNED) &&    \
    !defined(__ARM_FEATURE_MVE)
#define TPS_PAIRS
#define TPS_INSTRUCTION(text, ...) __asm__(text : "=r"(r) : __VA_ARGS__)
/* Some loops are one statement that takes twelve registers; a debugger's code has not so many. */
#if defined(__OPTIMIZE__) && !defined(__pic__) && !defined(__ARM_RWPI)
#define TPS_WHOLE_BODY
#ifndef __OPTIMIZE_SIZE__
#define TPS_WHOLE_LOOP
#endif
#endif
#elif defined(TPS_PAIRS_IN_C)
#define TPS_PAIRS
#endif

#ifdef TPS_PAIRS

/* The word at any address: cores with the extension load it in one instruction. */
static inline uint32_t tps_load(const void *address)
{
    uint32_t word;
    __builtin_memcpy(&word, address, sizeof word);
    return word;
}

static inline void tps_store(void *address, uint32_t word)
{
    __builtin_memcpy(address, &word, sizeof word);
}

/* The next word from any address, or two words from a multiple of 4. */
static inline uint32_t tps_next(const void **address)
{
#ifdef TPS_INSTRUCTION
    uint32_t r;
    __asm__ volatile("ldr %0, [%1], #4" : "=r"(r), "+r"(*address) : : "memory");
    return r;
#else
    const uint32_t word = tps_load(*address);
    *address = (const uint8_t *)*address + 4;
    return word;
#endif
}

static inline void tps_next_two(const void **address, uint32_t *first, uint32_t *second)
{
#ifdef TPS_INSTRUCTION
    __asm__ volatile("ldrd %0, %1, [%2], #8"
                     : "=r"(*first), "=r"(*second), "+r"(*address)
                     :
                     : "memory");
#else
    *first = tps_next(address);
    *second = tps_next(address);
#endif
}

/* Two words from a multiple of 4. */
static inline void tps_load_two(const void *address, uint32_t *first, uint32_t *second)
{
#ifdef TPS_INSTRUCTION
    __asm__ volatile("ldrd %0, %1, [%2]" : "=r"(*first), "=r"(*second) : "r"(address) : "memory");
#else
    *first = tps_load(address);
    *second = tps_load((const uint8_t *)address + 4);
#endif
}

/* A word to any address, or two words to a multiple of 4. */
static inline void tps_put(void **address, uint32_t word)
{
#ifdef TPS_INSTRUCTION
    __asm__ volatile("str %1, [%0], #4" : "+r"(*address) : "r"(word) : "memory");
#else
    tps_store(*address, word);
    *address = (uint8_t *)*address + 4;
#endif
}

static inline void tps_put_two(void **address, uint32_t first, uint32_t second)
{
#ifdef TPS_INSTRUCTION
    __asm__ volatile("strd %1, %2, [%0], #8" : "+r"(*address) : "r"(first), "r"(second) : "memory");
#else
    tps_store(*address, first);
    tps_store((uint8_t *)*address + 4, second);
    *address = (uint8_t *)*address + 8;
#endif
}

/* Two words to a multiple of 4; on to eight words further. */
static inline void tps_put_two_of_eight(void **address, uint32_t first, uint32_t second)
{
#ifdef TPS_INSTRUCTION
    __asm__ volatile("strd %1, %2, [%0], #32"
                     : "+r"(*address)
                     : "r"(first), "r"(second)
                     : "memory");
#else
    tps_put_two(address, first, second);
    *address = (uint8_t *)*address + 24;
#endif
}

/* A pair of two numbers, of which only the lower 16 bits count. */
static inline uint32_t tps_pair(int32_t low, int32_t high)
{
    return ((uint32_t)low & 0xFFFF) | ((uint32_t)high << 16);
}

static inline int32_t tps_low(uint32_t pair)
{
    return (int16_t)pair;
}

static inline int32_t tps_high(uint32_t pair)
{
    return (int16_t)(pair >> 16);
}

/* Bytes 0 and 2 as signed numbers. */
static inline uint32_t tps_sxtb16(uint32_t a)
{
#ifdef TPS_INSTRUCTION
    uint32_t r;
    TPS_INSTRUCTION("sxtb16 %0, %1", "r"(a));
    return r;
#else
    return tps_pair((int8_t)a, (int8_t)(a >> 16));
#endif
}

/* Bytes 1 and 3 as signed numbers. */
static inline uint32_t tps_sxtb16_ror8(uint32_t a)
{
#ifdef TPS_INSTRUCTION
    uint32_t r;
    TPS_INSTRUCTION("sxtb16 %0, %1, ror #8", "r"(a));
    return r;
#else
    return tps_sxtb16(a >> 8);
#endif
}

/* The low number of a, then that of b. */
static inline uint32_t tps_pkhbt(uint32_t a, uint32_t b)
{
#ifdef TPS_INSTRUCTION
    uint32_t r;
    TPS_INSTRUCTION("pkhbt %0, %1, %2, lsl #16", "r"(a), "r"(b));
    return r;
#else
    return (a & 0xFFFF) | (b << 16);
#endif
}

/* The high number of b, then that of a. */
static inline uint32_t tps_pkhtb(uint32_t a, uint32_t b)
{
#ifdef TPS_INSTRUCTION
    uint32_t r;
    TPS_INSTRUCTION("pkhtb %0, %1, %2, asr #16", "r"(a), "r"(b));
    return r;
#else
    return (a & 0xFFFF0000) | (b >> 16);
#endif
}

/* acc + both products. */
static inline int32_t tps_smlad(uint32_t a, uint32_t b, int32_t acc)
{
#ifdef TPS_INSTRUCTION
    __asm__("smlad %0, %1, %2, %0" : "+r"(acc) : "r"(a), "r"(b));
    return acc;
#else
    return acc + tps_low(a) * tps_low(b) + tps_high(a) * tps_high(b);
#endif
}

static inline int64_t tps_smlald(uint32_t a, uint32_t b, int64_t acc)
{
#ifdef TPS_INSTRUCTION
    __asm__("smlald %Q0, %R0, %1, %2" : "+r"(acc) : "r"(a), "r"(b));
    return acc;
#else
    return acc + (int64_t)tps_low(a) * tps_low(b) + (int64_t)tps_high(a) * tps_high(b);
#endif
}

/* acc + the products of p and q with the next two words, from a multiple of 4. */
static inline int32_t tps_smlad_next(const void **address, uint32_t p, uint32_t q, int32_t acc)
{
    uint32_t first, second;
#ifdef TPS_INSTRUCTION
    __asm__ volatile("ldrd %1, %2, [%3], #8\n\tsmlad %0, %4, %1, %0\n\tsmlad %0, %5, %2, %0"
                     : "+r"(acc), "=&r"(first), "=&r"(second), "+r"(*address)
                     : "r"(p), "r"(q)
                     : "memory");
    return acc;
#else
    tps_next_two(address, &first, &second);
    return tps_smlad(q, second, tps_smlad(p, first, acc));
#endif
}

/* Bytes 0 and 2 as unsigned numbers. */
static inline uint32_t tps_uxtb16(uint32_t a)
{
#ifdef TPS_INSTRUCTION
    uint32_t r;
    TPS_INSTRUCTION("uxtb16 %0, %1", "r"(a));
    return r;
#else
    return a & 0x00FF00FF;
#endif
}

/* Bytes 1 and 3 as unsigned numbers. */
static inline uint32_t tps_uxtb16_ror8(uint32_t a)
{
#ifdef TPS_INSTRUCTION
    uint32_t r;
    TPS_INSTRUCTION("uxtb16 %0, %1, ror #8", "r"(a));
    return r;
#else
    return (a >> 8) & 0x00FF00FF;
#endif
}

/* Sums; they wrap. */
static inline uint32_t tps_uadd16(uint32_t a, uint32_t b)
{
#ifdef TPS_INSTRUCTION
    uint32_t r;
    TPS_INSTRUCTION("uadd16 %0, %1, %2", "r"(a), "r"(b));
    return r;
#else
    return tps_pair(tps_low(a) + tps_low(b), tps_high(a) + tps_high(b));
#endif
}

/* Numbers limited to [-2^bits, 2^bits - 1]. */
static inline uint32_t tps_limited(int32_t low, int32_t high, int bits)
{
    const int32_t max = (INT32_C(1) << bits) - 1, min = -max - 1;
    low = low < min ? min : low > max ? max : low;
    high = high < min ? min : high > max ? max : high;
    return tps_pair(low, high);
}

/* Sums, limited to 16 bits. */
static inline uint32_t tps_qadd16(uint32_t a, uint32_t b)
{
#ifdef TPS_INSTRUCTION
    uint32_t r;
    TPS_INSTRUCTION("qadd16 %0, %1, %2", "r"(a), "r"(b));
    return r;
#else
    return tps_limited(tps_low(a) + tps_low(b), tps_high(a) + tps_high(b), 15);
#endif
}

/* a + bytes 1 and 3 of b as unsigned numbers. */
static inline uint32_t tps_uxtab16_ror8(uint32_t a, uint32_t b)
{
#ifdef TPS_INSTRUCTION
    uint32_t r;
    TPS_INSTRUCTION("uxtab16 %0, %1, %2, ror #8", "r"(a), "r"(b));
    return r;
#else
    return tps_uadd16(a, tps_uxtb16_ror8(b));
#endif
}

/* a + bytes 0 and 2 of b as signed numbers. */
static inline uint32_t tps_sxtab16(uint32_t a, uint32_t b)
{
#ifdef TPS_INSTRUCTION
    uint32_t r;
    TPS_INSTRUCTION("sxtab16 %0, %1, %2", "r"(a), "r"(b));
    return r;
#else
    return tps_uadd16(a, tps_sxtb16(b));
#endif
}

/* a + bytes 1 and 3 of b as signed numbers. */
static inline uint32_t tps_sxtab16_ror8(uint32_t a, uint32_t b)
{
#ifdef TPS_INSTRUCTION
    uint32_t r;
    TPS_INSTRUCTION("sxtab16 %0, %1, %2, ror #8", "r"(a), "r"(b));
    return r;
#else
    return tps_uadd16(a, tps_sxtb16_ror8(b));
#endif
}

/* acc + the product of the low numbers. */
static inline int32_t tps_smlabb(uint32_t a, uint32_t b, int32_t acc)
{
#ifdef TPS_INSTRUCTION
    int32_t r;
    TPS_INSTRUCTION("smlabb %0, %1, %2, %3", "r"(a), "r"(b), "r"(acc));
    return r;
#else
    return acc + tps_low(a) * tps_low(b);
#endif
}

/* acc + the high number of a times the low number of b. */
static inline int32_t tps_smlatb(uint32_t a, uint32_t b, int32_t acc)
{
#ifdef TPS_INSTRUCTION
    int32_t r;
    TPS_INSTRUCTION("smlatb %0, %1, %2, %3", "r"(a), "r"(b), "r"(acc));
    return r;
#else
    return acc + tps_high(a) * tps_low(b);
#endif
}

/* The larger one of each two signed bytes. */
static inline uint32_t tps_max8(uint32_t a, uint32_t b)
{
    uint32_t r = 0;
#ifdef TPS_INSTRUCTION
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(r) : "r"(a), "r"(b) : "cc");
#else
    for (int i = 0; i < 32; i += 8) {
        const int8_t left = (int8_t)(a >> i), right = (int8_t)(b >> i);
        r |= (uint32_t)(uint8_t)(left > right ? left : right) << i;
    }
#endif
    return r;
}

/* Where a byte of b is larger, it replaces that of largest, and that of place replaces winner's. */
static inline void tps_take_max8(uint32_t *largest, uint32_t b, uint32_t *winner, uint32_t place)
{
#ifdef TPS_INSTRUCTION
    uint32_t r;
    __asm__("ssub8 %2, %0, %3\n\tsel %0, %0, %3\n\tsel %1, %1, %4"
            : "+r"(*largest), "+r"(*winner), "=&r"(r)
            : "r"(b), "r"(place)
            : "cc");
#else
    for (int i = 0; i < 32; i += 8) {
        const uint32_t byte = UINT32_C(0xFF) << i;
        if ((int8_t)(b >> i) > (int8_t)(*largest >> i)) {
            *largest = (*largest & ~byte) | (b & byte);
            *winner = (*winner & ~byte) | (place & byte);
        }
    }
#endif
}

/* acc + the product of the high numbers. */
static inline int32_t tps_smlatt(uint32_t a, uint32_t b, int32_t acc)
{
#ifdef TPS_INSTRUCTION
    int32_t r;
    TPS_INSTRUCTION("smlatt %0, %1, %2, %3", "r"(a), "r"(b), "r"(acc));
    return r;
#else
    return acc + tps_high(a) * tps_high(b);
#endif
}

/* The numbers limited to [-2^(bits - 1), 2^(bits - 1) - 1]: bits is a literal. */
#ifdef TPS_INSTRUCTION
#define TPS_SSAT16(r, bits, a) __asm__("ssat16 %0, #" #bits ", %1" : "=r"(r) : "r"(a))
#else
#define TPS_SSAT16(r, bits, a) ((r) = tps_limited(tps_low(a), tps_high(a), (bits) - 1))
#endif

#endif

#endif
