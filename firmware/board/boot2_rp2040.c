/*
 * boot2_rp2040.c -- the first 256 bytes of a flash that an RP2040 runs from
 *
 * The chip's boot ROM reads them into RAM, compares the CRC-32 at their end and calls them (RP2040
 * datasheet, section 2.8.1). They let the serial interface answer reads of 0x10000000 and above
 * (section 4.10): command 03h with an address of 24 bits, one bit at a time, which every flash
 * has, at a quarter of the core's clock. From then on flash is memory behind a cache of 16 KB.
 *
 * Without TPS_BOARD this file is empty, whoever compiles it.
 */
#ifdef TPS_BOARD

/* Position independent. With lr = 0 the boot ROM asks to start what follows in flash; else a
 * program called it to make flash readable again. Whoever changes a byte has to change the CRC:
 * polynomial 0x04C11DB7, from 0xFFFFFFFF, bits neither reversed nor inverted. */
__asm(".pushsection .boot2, \"ax\"\n"
      ".syntax unified\n"
      ".thumb\n"
      ".balign 4\n"
      "tps_boot2:\n"
      "    ldr r3, 2f\n"
      "    movs r0, #0\n"
      "    str r0, [r3, #0x08]\n" /* SSIENR: off while it is changed */
      "    movs r1, #4\n"
      "    str r1, [r3, #0x14]\n" /* BAUDR */
      "    ldr r1, 3f\n"
      "    str r1, [r3, #0x00]\n" /* CTRLR0: 32 bits of data after command and address */
      "    str r0, [r3, #0x04]\n" /* CTRLR1: one word */
      "    ldr r1, 4f\n"
      "    movs r2, #0xF4\n"
      "    str r1, [r3, r2]\n" /* SPI_CTRLR0: command 03h of 8 bits, address of 24 */
      "    movs r1, #1\n"
      "    str r1, [r3, #0x08]\n"
      "    mov r0, lr\n"
      "    cmp r0, #0\n"
      "    beq 1f\n"
      "    bx lr\n"
      "1:  ldr r0, 5f\n"
      "    ldr r1, 6f\n"
      "    str r0, [r1]\n" /* VTOR */
      "    ldmia r0!, {r1, r2}\n"
      "    msr msp, r1\n"
      "    bx r2\n"
      ".balign 4\n"
      "2:  .word 0x18000000\n"
      "3:  .word 0x001F0300\n"
      "4:  .word 0x03000218\n"
      "5:  .word 0x10000100\n"
      "6:  .word 0xE000ED08\n"
      ".org tps_boot2 + 252\n"
      "    .word 0x04CCFD54\n"
      ".popsection\n");

#else
typedef int tps_board_is_empty;
#endif
