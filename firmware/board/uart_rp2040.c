/*
 * uart_rp2040.c -- UART0 of an RP2040, a PL011 of Arm, on pins GPIO0 (out) and GPIO1 (in)
 *
 * RP2040 datasheet: sections 2.14 (resets), 2.15 (clocks), 2.16 (crystal), 2.18 (PLL), 2.19 (pins)
 * and 4.2 (UART).
 *
 * Without TPS_BOARD this file is empty, whoever compiles it.
 */
#ifdef TPS_BOARD
#include "tps_board_config.h"
#include "tps_uart.h"

#define WORD(address) (*(volatile uint32_t *)UINT32_C(address))

#define RESETS WORD(0x4000C000)
#define RESETS_DONE WORD(0x4000C008)
#define RESETS_IO_BANK0 (UINT32_C(1) << 5)
#define RESETS_PADS_BANK0 (UINT32_C(1) << 8)
#define RESETS_PLL_SYS (UINT32_C(1) << 12)
#define RESETS_UART0 (UINT32_C(1) << 22)

#define XOSC_CTRL WORD(0x40024000)
#define XOSC_STATUS WORD(0x40024004)
#define XOSC_STARTUP WORD(0x4002400C)
#define XOSC_ON_1_TO_15_MHZ UINT32_C(0x00FABAA0)
#define XOSC_STABLE (UINT32_C(1) << 31)
/* In 256 periods of the crystal: one millisecond. */
#define XOSC_DELAY UINT32_C(47)

#define PLL_CS WORD(0x40028000)
#define PLL_PWR WORD(0x40028004)
#define PLL_FBDIV WORD(0x40028008)
#define PLL_PRIM WORD(0x4002800C)
#define PLL_CS_LOCK (UINT32_C(1) << 31)
#define PLL_PWR_OFF (UINT32_C(1) << 0)
#define PLL_PWR_POSTDIV_OFF (UINT32_C(1) << 3)
#define PLL_PWR_VCO_OFF (UINT32_C(1) << 5)

#define CLK_REF_CTRL WORD(0x40008030)
#define CLK_REF_SELECTED WORD(0x40008038)
#define CLK_REF_XOSC UINT32_C(2)
#define CLK_SYS_CTRL WORD(0x4000803C)
#define CLK_SYS_SELECTED WORD(0x40008044)
#define CLK_SYS_REF UINT32_C(0)
#define CLK_SYS_PLL UINT32_C(1)
#define CLK_PERI_CTRL WORD(0x40008048)
#define CLK_PERI_FROM_SYS (UINT32_C(1) << 11)

/* 12 MHz * 133 / (6 * 2) = 133 MHz, of an oscillator at 1,596 MHz. */
#define CRYSTAL UINT32_C(12000000)
#define MULTIPLIER UINT32_C(133)
#define DIVIDER_1 UINT32_C(6)
#define DIVIDER_2 UINT32_C(2)
_Static_assert(CRYSTAL / (DIVIDER_1 * DIVIDER_2) * MULTIPLIER == TPS_BOARD_UART_CLOCK,
               "the UART has the clock of the core");

#define GPIO0_CTRL WORD(0x40014004)
#define GPIO1_CTRL WORD(0x4001400C)
#define GPIO_CTRL_UART UINT32_C(2)

#define DR TPS_UART_REGISTER(0x00)
#define FR TPS_UART_REGISTER(0x18)
#define IBRD TPS_UART_REGISTER(0x24)
#define FBRD TPS_UART_REGISTER(0x28)
#define LCR_H TPS_UART_REGISTER(0x2C)
#define CR TPS_UART_REGISTER(0x30)
#define IMSC TPS_UART_REGISTER(0x38)

#define FR_RX_EMPTY (UINT32_C(1) << 4)
#define FR_TX_FULL (UINT32_C(1) << 5)
#define LCR_H_FIFO (UINT32_C(1) << 4)
#define LCR_H_8_BITS (UINT32_C(3) << 5)
#define CR_ENABLED (UINT32_C(1) << 0 | UINT32_C(1) << 8 | UINT32_C(1) << 9)
/* An interrupt comes when the FIFO is filled to a mark, or with less when the line was silent. */
#define IMSC_RX (UINT32_C(1) << 4 | UINT32_C(1) << 6)

/* Rate divider in 1/64. The clock is divided by 16 besides. */
#define DIVIDER ((TPS_BOARD_UART_CLOCK * 4 + TPS_BOARD_BAUD / 2) / TPS_BOARD_BAUD)

static void leave_reset(uint32_t parts)
{
    RESETS &= ~parts;
    while ((RESETS_DONE & parts) != parts) {
    }
}

/* From the crystal by the PLL. A restart of the core alone leaves the PLL running, so that the core
 * first goes back to the crystal. */
static void start_clocks(void)
{
    XOSC_STARTUP = XOSC_DELAY;
    XOSC_CTRL = XOSC_ON_1_TO_15_MHZ;
    while ((XOSC_STATUS & XOSC_STABLE) == 0) {
    }
    /* One bit at a time: only this one may change while the core runs by it. */
    CLK_SYS_CTRL &= ~CLK_SYS_PLL;
    while (CLK_SYS_SELECTED != UINT32_C(1) << CLK_SYS_REF) {
    }
    CLK_REF_CTRL = CLK_REF_XOSC;
    while (CLK_REF_SELECTED != UINT32_C(1) << CLK_REF_XOSC) {
    }

    RESETS |= RESETS_PLL_SYS;
    leave_reset(RESETS_PLL_SYS);
    PLL_CS = 1; /* the crystal's clock is not divided */
    PLL_FBDIV = MULTIPLIER;
    PLL_PWR &= ~(PLL_PWR_OFF | PLL_PWR_VCO_OFF);
    while ((PLL_CS & PLL_CS_LOCK) == 0) {
    }
    PLL_PRIM = DIVIDER_1 << 16 | DIVIDER_2 << 12;
    PLL_PWR &= ~PLL_PWR_POSTDIV_OFF;

    CLK_SYS_CTRL = CLK_SYS_REF;
    CLK_SYS_CTRL = CLK_SYS_PLL;
    while (CLK_SYS_SELECTED != UINT32_C(1) << CLK_SYS_PLL) {
    }
    CLK_PERI_CTRL = CLK_PERI_FROM_SYS;
}

void tps_uart_open(void)
{
    start_clocks();
    leave_reset(RESETS_IO_BANK0 | RESETS_PADS_BANK0 | RESETS_UART0);
    GPIO0_CTRL = GPIO_CTRL_UART;
    GPIO1_CTRL = GPIO_CTRL_UART;
    IBRD = DIVIDER / 64;
    FBRD = DIVIDER % 64;
    /* Behind the divider, which takes effect with it. */
    LCR_H = LCR_H_8_BITS | LCR_H_FIFO;
    CR = CR_ENABLED;
}

void tps_uart_listen(int on)
{
    IMSC = on ? IMSC_RX : 0;
}

int tps_uart_has_byte(void)
{
    return (FR & FR_RX_EMPTY) == 0;
}

int tps_uart_take(void)
{
    return tps_uart_has_byte() ? (int)(DR & 0xFFu) : -1;
}

int tps_uart_send(uint8_t byte)
{
    if ((FR & FR_TX_FULL) != 0) {
        return 1;
    }
    DR = byte;
    return 0;
}

#else
typedef int tps_board_is_empty;
#endif
