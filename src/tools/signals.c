/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <signal.h>
#include <stdatomic.h>

#include "tools/signals.h"

/* atomic: set in watch and release, read in the handler */
static _Atomic(void *) watched;
/* set before @watched */
static void (*cancel_watched)(void *session);
/* atomic: counted in the handler, taken by the progress thread */
static _Atomic bool status_wanted;

static void on_cancel(int number)
{
    void *session = atomic_load(&watched);

    (void)number;
    /* The next one gets the default: it kills. */
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    if (session) {
        cancel_watched(session);
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
