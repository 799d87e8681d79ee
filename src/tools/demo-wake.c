/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <zcmig/error.h>

#include "tools/demo-wake.h"

/* set before the handler; an eventfd: readable from the first signal on */
static int wake_fd = -1;

static void on_signal(int number)
{
    int saved_errno = errno;
    const uint64_t one = 1;

    (void)number;
    if (write(wake_fd, &one, sizeof(one)) < 0) {
        /* It is readable already. */
    }
    errno = saved_errno;
}

gboolean zc_demo_wake_watch(GError **error)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd < 0) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_FAILED, "cannot make an eventfd: %s",
                    g_strerror(errno));
        return FALSE;
    }
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        sigaction(numbers[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
    return TRUE;
}

int zc_demo_wake_fd(void)
{
    return wake_fd;
}
