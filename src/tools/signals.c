/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "tools/signals.h"

#define INSIST_NS 200000000 /* a second signal before this is the first one told twice */

/* atomic: set in watch and release, read in the handler */
static _Atomic(void *) watched;
/* set before @watched */
static void (*cancel_watched)(void *session);
/* atomic: set and read in the handler; 0: none came yet */
static _Atomic int64_t cancelled_ns;
/* atomic: counted in the handler, taken by the progress thread */
static _Atomic bool status_wanted;

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/*
 * The first one cancels, and who insists kills.  timeout(1) sends its signal to the process and to
 * its group, so that it comes twice at once: that is no insisting.
 */
static void on_cancel(int number)
{
    void *session = atomic_load(&watched);
    int64_t none = 0;

    if (atomic_compare_exchange_strong(&cancelled_ns, &none, now_ns())) {
        if (session) {
            cancel_watched(session);
        }
    } else if (now_ns() - none >= INSIST_NS) {
        signal(number, SIG_DFL);
        raise(number);
    }
}

static void on_status(int number)
{
    (void)number;
    atomic_store(&status_wanted, true);
}

static void set_handler(int number, void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

void zc_signals_watch(void (*cancel)(void *session), void *session)
{
    cancel_watched = cancel;
    atomic_store(&watched, session);
    set_handler(SIGPIPE, SIG_IGN);
    set_handler(SIGUSR1, on_status);
    set_handler(SIGINT, on_cancel);
    set_handler(SIGTERM, on_cancel);
}

void zc_signals_release(void)
{
    set_handler(SIGINT, SIG_DFL);
    set_handler(SIGTERM, SIG_DFL);
    set_handler(SIGUSR1, SIG_IGN);
    atomic_store(&watched, NULL);
}

bool zc_signals_take_status_request(void)
{
    return atomic_exchange(&status_wanted, false);
}
