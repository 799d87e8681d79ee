/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <malloc.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <glib.h>

#include "bench/soak-leaks.h"

#define VANISH_US (5 * G_USEC_PER_SEC)
#define TREND_MIN 40u
/* Growth from the second quarter to the last that is no noise: per migration, and in all. */
#define HEAP_PER_RUN 64u
#define HEAP_MIN (64u << 10)
#define ANON_MIN (16u << 20)
#define MAPPINGS_MIN 40u

static unsigned int count_entries(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    unsigned int n = 0;

    while (dir && g_dir_read_name(dir)) {
        n++;
    }
    return n;
}

static char *read_file(const char *path)
{
    char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? text : g_strdup("");
}

static unsigned int count_children(void)
{
    g_autofree char *text = read_file("/proc/self/task/self/children");
    g_autoptr(GDir) dir = g_dir_open("/proc/self/task", 0, NULL);
    const char *task;
    unsigned int n = 0;

    while (dir && (task = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename("/proc/self/task", task, "children", NULL);
        g_autofree char *children = read_file(path);
        for (const char *at = children; *at; at++) {
            n += *at == ' ';
        }
    }
    return n;
}

static uint64_t anon_bytes(void)
{
    g_autofree char *text = read_file("/proc/self/status");
    const char *line = strstr(text, "RssAnon:");

    return line ? g_ascii_strtoull(line + strlen("RssAnon:"), NULL, 10) << 10 : 0;
}

void soak_resources_take(struct soak_resources *resources)
{
    g_autofree char *maps = NULL;

    malloc_trim(0);
    maps = read_file("/proc/self/maps");
    *resources = (struct soak_resources){
        .fds = count_entries("/proc/self/fd"),
        .threads = count_entries("/proc/self/task"),
        .children = count_children(),
        .anon_bytes = anon_bytes(),
    };
    for (const char *at = maps; *at; at++) {
        resources->mappings += *at == '\n';
    }
    g_clear_pointer(&maps, g_free);
    struct mallinfo2 info = mallinfo2();
    resources->heap_bytes = info.uordblks + info.hblkhd;
}

char *soak_resources_compare(const struct soak_resources *before, struct soak_resources *now)
{
    int64_t deadline_us = g_get_monotonic_time() + VANISH_US;

    do {
        soak_resources_take(now);
        if (now->fds <= before->fds && now->threads <= before->threads &&
            now->children <= before->children) {
            return NULL;
        }
        sched_yield();
    } while (g_get_monotonic_time() < deadline_us);
    return g_strdup_printf("left over: %u descriptors, %u threads, %u children; before %u, %u, %u",
                           now->fds, now->threads, now->children, before->fds, before->threads,
                           before->children);
}

static void take_least(struct soak_resources *least, const struct soak_resources *now, bool first)
{
    if (first) {
        *least = *now;
        return;
    }
    least->mappings = MIN(least->mappings, now->mappings);
    least->heap_bytes = MIN(least->heap_bytes, now->heap_bytes);
    least->anon_bytes = MIN(least->anon_bytes, now->anon_bytes);
}

void soak_trend_add(struct soak_trend *trend, const struct soak_resources *now)
{
    unsigned int quarter = MAX(1u, trend->n_expected / 4);
    unsigned int at = trend->n++;

    if (at / quarter == 1) {
        take_least(&trend->early, now, at == quarter);
    } else if (at / quarter == 3) {
        take_least(&trend->late, now, at == 3 * quarter);
    }
}

char *soak_trend_judge(const struct soak_trend *trend)
{
    const struct soak_resources *early = &trend->early, *late = &trend->late;
    uint64_t heap_allowed =
        MAX((uint64_t)HEAP_MIN, (uint64_t)HEAP_PER_RUN * (trend->n_expected / 2));

    if (trend->n < TREND_MIN ||
        (late->heap_bytes <= early->heap_bytes + heap_allowed &&
         late->anon_bytes <= early->anon_bytes + ANON_MIN &&
         late->mappings <= early->mappings + MAPPINGS_MIN)) {
        return NULL;
    }
    return g_strdup_printf("it grows: heap %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT
                           " KiB, anonymous memory %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT
                           " KiB, mappings %u to %u, from the second quarter to the last",
                           early->heap_bytes >> 10, late->heap_bytes >> 10, early->anon_bytes >> 10,
                           late->anon_bytes >> 10, early->mappings, late->mappings);
}
