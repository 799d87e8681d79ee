/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"

#define LINE_BYTES 1024

static _Atomic int log_level = ZC_LOG_WARNING;

void zc_log_set_level(enum zc_log_level level)
{
    atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
}

enum zc_log_level zc_log_get_level(void)
{
    return (enum zc_log_level)atomic_load_explicit(&log_level, memory_order_relaxed);
}

void zc_log(enum zc_log_level level, const char *format, ...)
{
    static const char *const names[] = { "warning: ", "", "debug: " };
    char line[LINE_BYTES];
    va_list args;

    if (level > zc_log_get_level()) {
        return;
    }
    int used = snprintf(line, sizeof(line), "zcmig: %s", names[level]);
    va_start(args, format);
    int body = vsnprintf(line + used, sizeof(line) - (size_t)used, format, args);
    va_end(args);
    if (body < 0) {
        return;
    }
    size_t length = MIN((size_t)used + (size_t)body, sizeof(line) - 1);
    line[length++] = '\n';
    if (write(STDERR_FILENO, line, length) < 0) {
        return; /* nowhere left to say it */
    }
}
