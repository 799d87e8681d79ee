/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: a monitor serves one client at a time, and a migration must not wait
 * for it.  So a thread connects and asks, four times a second; when RAM has
 * come it is joined, and the connection is the caller's.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "session/digest.h"
#include "session/watch.h"

#define ASK_MS 250

struct zc_watch {
    /* set before start */
    struct zc_qemu_address address;
    struct zc_cause *cause;
    int stop_fd;
    GThread *thread;
    /* the thread only, and after stop the caller's */
    struct zc_qmp *qmp;
    /* under lock */
    GMutex lock;
    struct zc_qemu_progress progress;
};

struct zc_watch *zc_watch_new(const char *text, GError **error)
{
    struct zc_watch *watch = g_new0(struct zc_watch, 1);

    g_mutex_init(&watch->lock);
    watch->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watch->stop_fd < 0) {
        zc_error_errno(error, ZCMIG_ERROR_FAILED, errno, "cannot make an eventfd");
        g_clear_pointer(&watch, zc_watch_free);
    } else if (!zc_qemu_address_parse(text, &watch->address, error)) {
        g_clear_pointer(&watch, zc_watch_free);
    }
    return watch;
}

void zc_watch_free(struct zc_watch *watch)
{
    if (watch) {
        zc_watch_stop(watch);
        zc_qmp_free(watch->qmp);
        zc_fd_clear(&watch->stop_fd);
        zc_qemu_address_clear(&watch->address);
        g_mutex_clear(&watch->lock);
        g_free(watch);
    }
}

static void set_progress(struct zc_watch *watch, const struct zc_qemu_progress *progress)
{
    g_mutex_lock(&watch->lock);
    watch->progress = *progress;
    g_mutex_unlock(&watch->lock);
}

/* Asks until it is stopped, or cannot. */
static bool watch_qemu(struct zc_watch *watch, GError **error)
{
    struct pollfd stop = { .fd = watch->stop_fd, .events = POLLIN };
    struct zc_qemu_progress progress;

    watch->qmp = zc_qmp_connect(watch->address.path, zc_deadline_in(ZC_QEMU_ANSWER_MS),
                                watch->cause->wake_fd, error);
    if (!watch->qmp) {
        g_prefix_error(error, "the source's monitor '%s': ", watch->address.path);
        return false;
    }
    do {
        if (!zc_qemu_query_progress(watch->qmp, zc_deadline_in(ZC_QEMU_ANSWER_MS), &progress,
                                    error)) {
            g_prefix_error(error, "the source's monitor: ");
            return false;
        }
        set_progress(watch, &progress);
    } while (poll(&stop, 1, ASK_MS) == 0 && !zc_cause_is_set(watch->cause));
    return true;
}

static gpointer watch_main(gpointer data)
{
    struct zc_watch *watch = data;
    GError *error = NULL;

    if (!watch_qemu(watch, &error)) {
        zc_cause_report(watch->cause, error);
    }
    return NULL;
}

void zc_watch_start(struct zc_watch *watch, struct zc_cause *cause)
{
    watch->cause = cause;
    watch->thread = g_thread_new("zcmig-watch", watch_main, watch);
}

void zc_watch_stop(struct zc_watch *watch)
{
    uint64_t one = 1;

    if (!watch->thread) {
        return;
    }
    if (write(watch->stop_fd, &one, sizeof(one)) != (ssize_t)sizeof(one)) {
        g_assert_not_reached(); /* it is written to once */
    }
    g_thread_join(g_steal_pointer(&watch->thread));
}

void zc_watch_get_progress(struct zc_watch *watch, struct zc_qemu_progress *progress_out)
{
    g_mutex_lock(&watch->lock);
    *progress_out = watch->progress;
    g_mutex_unlock(&watch->lock);
}

struct zc_manifest *zc_watch_digest(struct zc_watch *watch, char **way_out, GError **error)
{
    struct zc_source *source;

    g_return_val_if_fail(!watch->thread, NULL);
    if (!watch->qmp || zc_cause_is_set(watch->cause)) {
        zc_error(error, ZCMIG_ERROR_CANCELLED, "the source's RAM was not read");
        return NULL;
    }
    source = zc_qemu_source_new(watch->qmp, &watch->address, error);
    struct zc_manifest *manifest =
        source ? zc_digest_source(source, zc_digest_threads(), error) : NULL;
    if (manifest) {
        struct zc_qemu_progress progress;
        *way_out = g_strdup(source->way);
        if (zc_qemu_query_progress(watch->qmp, zc_deadline_in(ASK_MS), &progress, NULL)) {
            set_progress(watch, &progress);
        }
    } else {
        g_prefix_error(error, "the source's RAM: ");
    }
    zc_source_free(source);
    return manifest;
}
