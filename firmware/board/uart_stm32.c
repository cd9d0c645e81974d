/*
 * uart_stm32.c -- USART1 of an STM32F4 on pins PA9 (out) and PA10 (in)
 *
 * Reference manual RM0090: sections 6.3 (RCC), 8.4 (GPIO) and 30.6 (USART).
 *
 * Without TPS_BOARD this file is empty, whoever compiles it.
 */
#ifdef TPS_BOARD
#include "tps_board_config.h"
#include "tps_uart.h"

#define WORD(address) (*(volatile uint32_t *)UINT32_C(address))
#define RCC_AHB1ENR WORD(0x40023830)
#define RCC_AHB1ENR_GPIOA (UINT32_C(1) << 0)
#define RCC_APB2ENR WORD(0x40023844)
#define RCC_APB2ENR_USART1 (UINT32_C(1) << 4)
#define GPIOA_MODER WORD(0x40020000)
#define GPIOA_AFRH WORD(0x40020024)

#define SR TPS_UART_REGISTER(0x00)
#define DR TPS_UART_REGISTER(0x04)
#define BRR TPS_UART_REGISTER(0x08)
#define CR1 TPS_UART_REGISTER(0x0C)

#define SR_ORE (UINT32_C(1) << 3)
#define SR_RXNE (UINT32_C(1) << 5)
#define SR_TXE (UINT32_C(1) << 7)
#define CR1_RE (UINT32_C(1) << 2)
#define CR1_TE (UINT32_C(1) << 3)
#define CR1_RXNEIE (UINT32_C(1) << 5)
#define CR1_UE (UINT32_C(1) << 13)

void tps_uart_open(void)
{
    RCC_AHB1ENR |= RCC_AHB1ENR_GPIOA;
    RCC_APB2ENR |= RCC_APB2ENR_USART1;
    /* Alternate function 7 for both pins. */
    GPIOA_MODER = (GPIOA_MODER & ~(UINT32_C(0xF) << 18)) | (UINT32_C(0xA) << 18);
    GPIOA_AFRH = (GPIOA_AFRH & ~(UINT32_C(0xFF) << 4)) | (UINT32_C(0x77) << 4);
    BRR = (TPS_BOARD_UART_CLOCK + TPS_BOARD_BAUD / 2) / TPS_BOARD_BAUD;
    CR1 = CR1_UE | CR1_TE | CR1_RE;
}

void tps_uart_listen(int on)
{
    CR1 = on ? CR1 | CR1_RXNEIE : CR1 & ~CR1_RXNEIE;
}

int tps_uart_has_byte(void)
{
    return (SR & SR_RXNE) != 0;
}

int tps_uart_take(void)
{
    const uint32_t state = SR;
    int byte;

    if ((state & (SR_RXNE | SR_ORE)) == 0) {
        return -1;
    }
    /* A byte may have been lost between the readings of SR and DR of the one before: that asks for
     * an interrupt, too, until DR is read. */
    byte = (int)(DR & 0xFFu);
    return (state & SR_RXNE) != 0 ? byte : -1;
}

int tps_uart_send(uint8_t byte)
{
    if ((SR & SR_TXE) == 0) {
        return 1;
    }
    DR = byte;
    return 0;
}

#else
typedef int tps_board_is_empty;
#endif
