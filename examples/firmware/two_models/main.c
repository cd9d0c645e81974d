/*
 * main.c -- two models that watch and learn from one vibration sensor
 *
 * The sensor is the UART here: four bytes a value, which are the value (int16, lower byte first)
 * and what is known of the machine now: the class of its load, and 0 where its bearing is good, or
 * 255. Whenever a window is full, both models answer, in a line of text. One learns which load it
 * was, the other how a good bearing sounds.
 */
#include <stdbool.h>
#include <stdint.h>

#include "bearing_raw.h"
#include "motor_raw.h"
#include "tps_board.h"

#define UNKNOWN 255
#define GOOD 0

static struct motor_model motor;
static struct bearing_model bearing;
static struct motor_window motor_window;
static struct bearing_window bearing_window;

static uint8_t next_byte(void)
{
    for (;;) {
        const int byte = tps_board_get(0);

        if (byte >= 0) {
            return (uint8_t)byte;
        }
        tps_board_sleep();
    }
}

static void say(const char *text)
{
    for (; *text != '\0'; text++) {
        (void)tps_board_put(0, (uint8_t)*text);
    }
}

static void watch_motor(uint8_t known)
{
    say(motor_class_name(motor_predict(&motor, motor_window.x)));
    if (known != UNKNOWN) {
        (void)motor_train_step(&motor, motor_window.x, known);
    }
}

static void watch_bearing(uint8_t known)
{
    say(bearing_class_name(bearing_predict(&bearing, bearing_window.x)));
    if (known == GOOD) {
        (void)bearing_learn(&bearing, bearing_window.x);
    }
}

int main(void)
{
    tps_board_open();
    /* A self-test overwrites its struct: before init. */
    if (motor_selftest(&motor) != TPS_OK || bearing_selftest(&bearing) != TPS_OK) {
        say("self-test failed\n");
        tps_board_restart();
    }
    motor_init(&motor);
    bearing_init(&bearing);
    say("ready\n");
    for (;;) {
        bool has_motor = false;
        bool has_bearing = false;
        const uint8_t low = next_byte();
        const int16_t value[1] = {(int16_t)(uint16_t)(low | next_byte() << 8)};
        const uint8_t known_load = next_byte();
        const uint8_t known_state = next_byte();

        (void)motor_push(&motor_window, value, &has_motor);
        (void)bearing_push(&bearing_window, value, &has_bearing);
        if (has_motor && has_bearing) {
            watch_motor(known_load);
            say(" ");
            watch_bearing(known_state);
            say("\n");
        }
    }
}
