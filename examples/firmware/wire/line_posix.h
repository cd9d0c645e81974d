/*
 * line_posix.h -- a wire over TCP or over a pseudo terminal, for a device that is a process
 *
 *     static struct line_posix line;
 *
 *     line_posix_listen(&line, 5555);         or line_posix_pty(&line, name, sizeof name)
 *     digits_wire_open(&wire, &line.line, &model);
 *     for (;;) {
 *         line_posix_wait(&line, 100);
 *         while (digits_wire_poll(&wire)) {
 *         }
 *     }
 *
 * One computer at a time; when it goes, the next one is welcome. Needs POSIX.
 */
#ifndef LINE_POSIX_H
#define LINE_POSIX_H

#include "tps_line.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

struct line_posix {
    struct tps_line line;
    int listener; /* -1: a terminal */
    int descriptor;
    size_t in_at;
    size_t in_count;
    size_t out_count;
    uint8_t in[512];
    uint8_t out[512];
};

/* The computer has gone: what was for it goes too. */
static inline void line_posix_drop(struct line_posix *line)
{
    if (line->listener >= 0) {
        close(line->descriptor);
        line->descriptor = -1;
    }
    line->in_count = 0;
    line->out_count = 0;
}

static inline void line_posix_flush(struct line_posix *line)
{
    while (line->out_count > 0 && line->descriptor >= 0) {
        const ssize_t n = line->listener >= 0
                              ? send(line->descriptor, line->out, line->out_count, MSG_NOSIGNAL)
                              : write(line->descriptor, line->out, line->out_count);
        if (n < 0) {
            return;
        }
        line->out_count -= (size_t)n;
        memmove(line->out, line->out + n, line->out_count);
    }
}

static inline void line_posix_fill(struct line_posix *line)
{
    if (line->descriptor < 0) {
        const int on = 1;
        line->descriptor = accept(line->listener, NULL, NULL);
        if (line->descriptor < 0) {
            return;
        }
        fcntl(line->descriptor, F_SETFL, O_NONBLOCK);
        setsockopt(line->descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    const ssize_t n = read(line->descriptor, line->in, sizeof line->in);
    line->in_at = 0;
    line->in_count = n > 0 ? (size_t)n : 0;
    if (n == 0) {
        line_posix_drop(line);
    }
}

static inline int line_posix_get(void *context)
{
    struct line_posix *line = (struct line_posix *)context;

    if (line->in_at == line->in_count) {
        line_posix_flush(line);
        line_posix_fill(line);
    }
    return line->in_at < line->in_count ? line->in[line->in_at++] : -1;
}

static inline int line_posix_put(void *context, uint8_t byte)
{
    struct line_posix *line = (struct line_posix *)context;

    if (line->out_count == sizeof line->out) {
        line_posix_flush(line);
    }
    if (line->out_count == sizeof line->out) {
        return 1;
    }
    line->out[line->out_count++] = byte;
    return 0;
}

/* Send what is to be sent, and sleep until something comes, or for so many milliseconds. */
static inline void line_posix_wait(struct line_posix *line, int milliseconds)
{
    struct pollfd what = {line->descriptor >= 0 ? line->descriptor : line->listener, POLLIN, 0};

    line_posix_flush(line);
    if (line->in_at == line->in_count) {
        poll(&what, 1, milliseconds);
        if ((what.revents & (POLLHUP | POLLERR)) != 0 && (what.revents & POLLIN) == 0) {
            line_posix_drop(line);
            poll(NULL, 0, 10);
        }
    }
}

static inline void line_posix_begin(struct line_posix *line)
{
    memset(line, 0, sizeof *line);
    line->line.context = line;
    line->line.get = line_posix_get;
    line->line.put = line_posix_put;
    line->listener = -1;
    line->descriptor = -1;
}

/* Listen on a port of this computer; 0: any. Returns the port, or -1. */
static inline int line_posix_listen(struct line_posix *line, uint16_t port)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    const int on = 1;

    line_posix_begin(line);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    line->listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(line->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(line->listener, (struct sockaddr *)&address, size) != 0 ||
        listen(line->listener, 1) != 0 ||
        getsockname(line->listener, (struct sockaddr *)&address, &size) != 0) {
        return -1;
    }
    fcntl(line->listener, F_SETFL, O_NONBLOCK);
    return ntohs(address.sin_port);
}

/* Open a pseudo terminal, and say under which name a computer finds it. */
static inline bool line_posix_pty(struct line_posix *line, char *name, size_t size)
{
    struct termios raw;

    line_posix_begin(line);
    line->descriptor = posix_openpt(O_RDWR | O_NOCTTY);
    if (line->descriptor < 0 || grantpt(line->descriptor) != 0 || unlockpt(line->descriptor) != 0) {
        return false;
    }
    /* No echo, and bytes as they are: a frame may hold any of them. */
    tcgetattr(line->descriptor, &raw);
    raw.c_iflag = 0;
    raw.c_oflag = 0;
    raw.c_lflag = 0;
    raw.c_cflag = CS8 | CREAD | CLOCAL;
    tcsetattr(line->descriptor, TCSANOW, &raw);
    fcntl(line->descriptor, F_SETFL, O_NONBLOCK);
    strncpy(name, ptsname(line->descriptor), size - 1);
    name[size - 1] = 0;
    return true;
}

#endif
