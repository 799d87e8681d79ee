/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <zcmig/error.h>

#include "tools/lines.h"

void zc_lines_init(struct zc_lines *lines, int fd, int wake_fd)
{
    lines->fd = fd;
    lines->wake_fd = wake_fd;
    lines->pending = g_string_new(NULL);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void zc_lines_clear(struct zc_lines *lines)
{
    if (lines->pending) {
        close(lines->fd);
        g_string_free(lines->pending, TRUE);
        lines->pending = NULL;
    }
}

static char *take_line(struct zc_lines *lines)
{
    const char *end = memchr(lines->pending->str, '\n', lines->pending->len);

    if (!end) {
        return NULL;
    }
    size_t length = (size_t)(end - lines->pending->str);
    char *line = g_strndup(lines->pending->str, length);
    g_string_erase(lines->pending, 0, (gssize)length + 1);
    if (length && line[length - 1] == '\r') {
        line[length - 1] = '\0';
    }
    return line;
}

/* Returns when there is something to read, or with @error. */
static gboolean wait_readable(struct zc_lines *lines, int64_t deadline_us, const char *what,
                              GError **error)
{
    for (;;) {
        struct pollfd fds[2] = { { lines->fd, POLLIN, 0 }, { lines->wake_fd, POLLIN, 0 } };
        int64_t left_ms = (deadline_us - g_get_monotonic_time() + 999) / 1000;
        int n = poll(fds, 2, (int)CLAMP(left_ms, 0, 3600 * 1000));

        if (n < 0 && errno != EINTR) {
            g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_FAILED, "%s: poll: %s", what,
                        g_strerror(errno));
            return FALSE;
        }
        if (n > 0 && fds[1].revents) {
            g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_CANCELLED, "%s: interrupted", what);
            return FALSE;
        }
        if (n > 0) {
            return TRUE;
        }
        if (n == 0 && g_get_monotonic_time() >= deadline_us) {
            g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_TIMEOUT, "%s: did not come in time", what);
            return FALSE;
        }
    }
}

char *zc_lines_next(struct zc_lines *lines, int64_t deadline_us, const char *what, GError **error)
{
    for (;;) {
        char *line = take_line(lines);
        if (line) {
            return line;
        }
        if (lines->pending->len > ZC_LINE_BYTES_MAX) {
            g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_LIMIT, "%s: got a line of over %u bytes",
                        what, ZC_LINE_BYTES_MAX);
            return NULL;
        }
        if (!wait_readable(lines, deadline_us, what, error)) {
            return NULL;
        }
        char chunk[4096];
        ssize_t n = read(lines->fd, chunk, sizeof(chunk));
        if (n > 0) {
            g_string_append_len(lines->pending, chunk, n);
        } else if (n == 0) {
            g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_DISCONNECTED, "%s: end of stream", what);
            return NULL;
        } else if (errno != EAGAIN && errno != EINTR) {
            g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_DISCONNECTED, "%s: %s", what,
                        g_strerror(errno));
            return NULL;
        }
    }
}
