/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages for people, on stderr, by level.  The library itself says little:
 * what a caller must know comes back as an error or as a statistic.  Only the
 * tools set the level (-v once: info, twice: debug).  Thread-safe; a line is
 * one write(2), so lines of several threads do not mix.
 */
#ifndef ZC_BASE_LOG_H
#define ZC_BASE_LOG_H

#include <glib.h>

enum zc_log_level {
    ZC_LOG_WARNING,
    ZC_LOG_INFO,
    ZC_LOG_DEBUG,
};

void zc_log_set_level(enum zc_log_level level);
enum zc_log_level zc_log_get_level(void);

void zc_log(enum zc_log_level level, const char *format, ...) G_GNUC_PRINTF(2, 3);

#define zc_warning(...) zc_log(ZC_LOG_WARNING, __VA_ARGS__)
#define zc_info(...) zc_log(ZC_LOG_INFO, __VA_ARGS__)
#define zc_debug(...) zc_log(ZC_LOG_DEBUG, __VA_ARGS__)

#endif
