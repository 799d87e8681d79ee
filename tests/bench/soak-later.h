/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Does something after a while, or at the latest when it is stopped. */
#ifndef ZC_TESTS_SOAK_LATER_H
#define ZC_TESTS_SOAK_LATER_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

struct soak_later {
    void (*act)(void *data);
    void *data;
    int64_t at_us;
    GMutex lock;
    GCond ended_changed;
    bool ended; /* under lock */
    GThread *thread;
};

void soak_later_start(struct soak_later *later, int64_t after_us, void (*act)(void *data),
                      void *data);
/* It was done when this returns.  Nothing, of one that was not started (all zeros). */
void soak_later_stop(struct soak_later *later);

#endif
