/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <zcmig/error.h>

#include "tools/child.h"

#define STOP_TIMEOUT_US (5 * G_USEC_PER_SEC)

/* In a group of its own: an interrupt from the keyboard is ours, and comes to it once, from us. */
static void set_up(gpointer data)
{
    (void)data;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
}

gboolean zc_child_start(struct zc_child *child, const char *const *argv, gboolean silent,
                        int wake_fd, GError **error)
{
    g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(
        silent ? G_SUBPROCESS_FLAGS_STDERR_SILENCE : G_SUBPROCESS_FLAGS_NONE);
    int pipe_fds[2];

    *child = (struct zc_child){ 0 };
    if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_FAILED, "cannot make a pipe: %s",
                    g_strerror(errno));
        return FALSE;
    }
    zc_lines_init(&child->out, pipe_fds[0], wake_fd);
    g_subprocess_launcher_take_stdout_fd(launcher, pipe_fds[1]);
    g_subprocess_launcher_set_child_setup(launcher, set_up, NULL, NULL);
    child->process = g_subprocess_launcher_spawnv(launcher, argv, error);
    if (!child->process) {
        g_prefix_error(error, "cannot run '%s': ", argv[0]);
    }
    return child->process != NULL;
}

void zc_child_stop(struct zc_child *child, gboolean wanted)
{
    if (child->process && !wanted) {
        int64_t deadline_us = g_get_monotonic_time() + STOP_TIMEOUT_US;
        char *line;

        g_subprocess_send_signal(child->process, SIGTERM);
        /* Who was interrupted still waits for this; the end of its output is the end of it. */
        child->out.wake_fd = -1;
        while ((line = zc_lines_next(&child->out, deadline_us, "its end", NULL))) {
            g_free(line);
        }
        g_subprocess_force_exit(child->process);
    }
    if (child->process) {
        g_subprocess_wait(child->process, NULL, NULL);
        g_clear_object(&child->process);
    }
    zc_lines_clear(&child->out);
}
