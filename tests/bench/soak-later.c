/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "bench/soak-later.h"

static gpointer run(gpointer data)
{
    struct soak_later *later = data;

    g_mutex_lock(&later->lock);
    while (!later->ended &&
           g_cond_wait_until(&later->ended_changed, &later->lock, later->at_us)) {
        /* woken too early, or stopped */
    }
    g_mutex_unlock(&later->lock);
    later->act(later->data);
    return NULL;
}

void soak_later_start(struct soak_later *later, int64_t after_us, void (*act)(void *data),
                      void *data)
{
    later->act = act;
    later->data = data;
    later->at_us = g_get_monotonic_time() + after_us;
    g_mutex_init(&later->lock);
    g_cond_init(&later->ended_changed);
    later->thread = g_thread_new("later", run, later);
}

void soak_later_stop(struct soak_later *later)
{
    if (later->thread) {
        g_mutex_lock(&later->lock);
        later->ended = true;
        g_cond_signal(&later->ended_changed);
        g_mutex_unlock(&later->lock);
        g_thread_join(later->thread);
        g_mutex_clear(&later->lock);
        g_cond_clear(&later->ended_changed);
        later->thread = NULL;
    }
}
