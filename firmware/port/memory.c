/*
 * memory.c -- the functions of the C library that compilers call on their own
 *
 * Word by word where both addresses allow it: on a small core that is four times as fast.
 *
 * For emulators only: without TPS_PORT this file is empty, whoever compiles it.
 */
#ifdef TPS_PORT
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) && !defined(__clang__)
/* Or gcc makes a call of memset out of the loop in memset. */
#define PLAIN_LOOPS __attribute__((optimize("no-tree-loop-distribute-patterns")))
#else
#define PLAIN_LOOPS
#endif

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);

/* A word that may alias anything. */
typedef uint32_t __attribute__((may_alias)) word_t;

PLAIN_LOOPS void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    uint8_t *out = to;
    const uint8_t *in = from;

    if ((((uintptr_t)out | (uintptr_t)in) & 3u) == 0) {
        for (; count >= 4; count -= 4, out += 4, in += 4) {
            *(word_t *)(void *)out = *(const word_t *)(const void *)in;
        }
    }
    for (; count > 0; count--) {
        *out++ = *in++;
    }
    return to;
}

PLAIN_LOOPS void *memmove(void *to, const void *from, size_t count)
{
    uint8_t *out = to;
    const uint8_t *in = from;

    if ((uintptr_t)out - (uintptr_t)in >= count) {
        for (; count > 0; count--) {
            *out++ = *in++;
        }
    } else {
        while (count-- > 0) {
            out[count] = in[count];
        }
    }
    return to;
}

PLAIN_LOOPS void *memset(void *to, int value, size_t count)
{
    uint8_t *out = to;
    const uint32_t word = (uint32_t)(uint8_t)value * UINT32_C(0x01010101);

    for (; count > 0 && ((uintptr_t)out & 3u) != 0; count--) {
        *out++ = (uint8_t)value;
    }
    for (; count >= 4; count -= 4, out += 4) {
        *(word_t *)(void *)out = word;
    }
    for (; count > 0; count--) {
        *out++ = (uint8_t)value;
    }
    return to;
}

#ifdef __arm__

/* The same under the names of Arm's run-time ABI, which clang prefers. */
void __aeabi_memcpy(void *restrict to, const void *restrict from, size_t count);
void __aeabi_memmove(void *to, const void *from, size_t count);
void __aeabi_memset(void *to, size_t count, int value);
void __aeabi_memclr(void *to, size_t count);

void __aeabi_memcpy(void *restrict to, const void *restrict from, size_t count)
{
    (void)memcpy(to, from, count);
}

void __aeabi_memmove(void *to, const void *from, size_t count)
{
    (void)memmove(to, from, count);
}

void __aeabi_memset(void *to, size_t count, int value)
{
    (void)memset(to, value, count);
}

void __aeabi_memclr(void *to, size_t count)
{
    (void)memset(to, 0, count);
}

/* What promises words, or pairs of words, needs nothing else. */
#define ALSO(name, of) __asm__(".globl " #name "\n\t.thumb_set " #name ", " #of)
ALSO(__aeabi_memcpy4, __aeabi_memcpy);
ALSO(__aeabi_memcpy8, __aeabi_memcpy);
ALSO(__aeabi_memmove4, __aeabi_memmove);
ALSO(__aeabi_memmove8, __aeabi_memmove);
ALSO(__aeabi_memset4, __aeabi_memset);
ALSO(__aeabi_memset8, __aeabi_memset);
ALSO(__aeabi_memclr4, __aeabi_memclr);
ALSO(__aeabi_memclr8, __aeabi_memclr);

#endif

#else
typedef int tps_port_is_empty;
#endif
