/*
 * main.c -- the network 'digits' on an LX106, the core of an ESP8266, in QEMU
 *
 * It says by QEMU's simcalls what its self-test came to, and the digest after the steps that the
 * examples of all packages do.
 */
#include "digits_raw.h"
#include "samples.h"

enum { SYS_EXIT = 1, SYS_WRITE = 4, STDOUT = 1 };

static struct digits_model model;
extern uint32_t bss_start[], bss_end[];

int main(void);

static void simcall(uint32_t number, uint32_t first, uint32_t second, uint32_t third)
{
    register uint32_t a2 __asm("a2") = number;
    register uint32_t a3 __asm("a3") = first;
    register uint32_t a4 __asm("a4") = second;
    register uint32_t a5 __asm("a5") = third;

    __asm volatile("simcall" : "+r"(a2), "+r"(a3) : "r"(a4), "r"(a5) : "memory");
}

static void say(const char *text, uint32_t value)
{
    char line[40];
    uint32_t count = 0;

    for (; *text != '\0'; text++) {
        line[count++] = *text;
    }
    for (int shift = 28; shift >= 0; shift -= 4) {
        line[count++] = "0123456789ABCDEF"[value >> shift & 0xFu];
    }
    line[count++] = '\n';
    simcall(SYS_WRITE, STDOUT, (uint32_t)line, count);
}

int main(void)
{
    say("self-test ", (uint32_t)digits_selftest(&model));
    digits_init(&model);
    for (int pass = 0; pass < PASSES; pass++) {
        for (int i = 0; i < SAMPLES; i++) {
            digits_train_raw(&model, samples[i], labels[i]);
        }
    }
    say("digest ", digits_digest(&model));
    return 0;
}

__attribute__((used)) static void start(void)
{
    for (volatile uint32_t *word = bss_start; word < bss_end; word++) {
        *word = 0;
    }
    simcall(SYS_EXIT, (uint32_t)main(), 0, 0);
}

__asm(".pushsection .reset, \"ax\"\n"
      ".global reset\n"
      "reset:\n"
      "    j 1f\n"
      "    .align 4\n"
      "2:  .word stack_top\n"
      "3:  .word start\n"
      "    .align 4\n"
      "1:  l32r a1, 2b\n"
      "    l32r a0, 3b\n"
      "    jx a0\n"
      ".popsection\n");
