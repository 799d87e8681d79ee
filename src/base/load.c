/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>

#include "base/clock.h"
#include "base/load.h"

#define STAT "/proc/stat"
#define LINE_BYTES 512
#define IDLE_FIELD 4u /* user, nice, system, idle, iowait: proc_stat(5) */
#define SHARE_MAX 0.9

/* The ticks that the CPU of @line was idle or waited for a disk; false: @line is of no CPU of @ours. */
static bool parse_line(const char *line, const cpu_set_t *ours, uint64_t *ticks_out)
{
    char *end;

    if (strncmp(line, "cpu", 3) != 0 || !g_ascii_isdigit(line[3])) {
        return false;
    }
    unsigned long cpu = strtoul(line + 3, &end, 10);
    if (cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, ours)) {
        return false;
    }
    *ticks_out = 0;
    for (unsigned int field = 1; field <= IDLE_FIELD + 1; field++) {
        uint64_t ticks = strtoull(end, &end, 10);
        *ticks_out += field >= IDLE_FIELD ? ticks : 0;
    }
    return true;
}

void zc_load_read(struct zc_load *load)
{
    const int64_t tick_ns = ZC_NS_PER_S / sysconf(_SC_CLK_TCK);
    char line[LINE_BYTES];
    cpu_set_t ours;
    uint64_t ticks;

    *load = (struct zc_load){ .at_ns = zc_clock_now_ns() };
    FILE *file = sched_getaffinity(0, sizeof(ours), &ours) == 0 ? fopen(STAT, "re") : NULL;
    if (!file) {
        return;
    }
    /* The CPUs come first; lines longer than @line come later. */
    while (fgets(line, sizeof(line), file) && strncmp(line, "cpu", 3) == 0) {
        if (parse_line(line, &ours, &ticks)) {
            load->idle_ns += (int64_t)ticks * tick_ns;
            load->n_cpus++;
        }
    }
    fclose(file);
}

double zc_load_share(const struct zc_load *before, const struct zc_load *after, int64_t cpu_ns)
{
    double all_ns = (double)(after->at_ns - before->at_ns) * after->n_cpus;

    if (all_ns <= 0 || before->n_cpus != after->n_cpus) {
        return 0;
    }
    double taken_ns = (double)(cpu_ns - MAX(after->idle_ns - before->idle_ns, 0));
    return CLAMP(taken_ns / all_ns, 0, SHARE_MAX);
}
